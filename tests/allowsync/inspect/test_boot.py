"""What `check` says of saved rules, of every kind of firewall, configured or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import saved_rules

from allowsync.inspect.boot import about_boot
from allowsync.model.target import Severity
from tests.support.configuring import HOSTS, loaded

if TYPE_CHECKING:
    from pathlib import Path

NO_FIREWALL = HOSTS + "allowlists:\n  web:\n    targets:\n      - file: {path: /tmp/list}\n"


@pytest.fixture(autouse=True)
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved ruleset with a gate in it."""
    file = tmp_path / "nftables.conf"
    file.write_text("table inet allowsync_web {\n}\n")
    monkeypatch.setattr(saved_rules, "NFT_FILES", (file,))
    return file


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (NO_FIREWALL, False),
        (NO_FIREWALL.replace("file: {path: /tmp/list}", "nftables: {ports: [443/tcp]}"), True),
    ],
)
def test_a_saved_gate_is_named_whether_a_target_has_it_or_not(
    tmp_path: Path, text: str, known: bool
) -> None:
    (one,) = [one for one in about_boot(loaded(tmp_path, text)) if one.where == "nftables"]
    assert "holds the gate inet allowsync_web" in one.finding.what
    assert ("no target has it" not in one.finding.what) is known


@pytest.mark.parametrize("given", [RuntimeError("boom"), [None], None, "text"])
def test_a_kind_that_fails_is_told_and_the_others_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: object
) -> None:
    def at_boot(_configured: object) -> object:
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr("allowsync_backends.ipset.saved.at_boot", at_boot)
    found = [one for one in about_boot(loaded(tmp_path, NO_FIREWALL)) if one.where == "ipset"]
    assert [one.finding.severity for one in found] == [Severity.WARNING]
    assert "is unknown" in found[0].finding.what
