"""Gates and elements of ours in what nft loads at boot."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import saved_rules
from allowsync_backends.nftables import TYPE, NftablesOptions, saved

from allowsync.model.target import Place, Placement, Severity
from tests.support.gates import BOTH, allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

OURS = frozenset({Place("nftables table", ("inet", "allowsync_x"))})


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that nft loads at boot."""
    monkeypatch.setattr(saved_rules, "NFT_FILES", (tmp_path / "nftables.conf",))
    monkeypatch.setattr(saved_rules, "NFT_FOLDER", tmp_path)
    return tmp_path / "nftables.conf"


@pytest.mark.root
def test_a_listing_with_a_gate_brings_it_back_until_its_lines_are_out(
    inside: Namespace, conf: Path
) -> None:
    gate = TYPE.make(Placement("x", "x/nftables"), NftablesOptions(ports=BOTH))
    inside.command("nft", "add table inet filter; add chain inet filter input")
    allow(inside, gate, "81.2.69.1")
    inside.command("nft", "add table inet later; add chain inet later input")
    conf.write_text(f"flush ruleset\n{inside.command('nft', 'list', 'ruleset')}")
    allow(inside, gate, "81.2.69.2")
    inside.command("nft", "-f", str(conf))  # a boot
    assert "81.2.69.1" in inside.command("nft", "list", "ruleset")
    (known,) = saved.at_boot(OURS)
    (unknown,) = saved.at_boot(frozenset())
    assert known.severity is unknown.severity is Severity.WARNING
    assert "until allowsync restores it" in known.what
    assert "no target has it" in unknown.what
    subprocess.run(["sh", "-ec", known.advice.partition(": ")[2]], check=True)
    assert list(saved.at_boot(OURS)) == []
    inside.command("nft", "-f", str(conf))
    assert inside.command("nft", "list", "tables") == "table inet filter\ntable inet later\n"


@pytest.mark.root
def test_elements_of_ours_in_a_set_of_the_user_are_told(inside: Namespace, conf: Path) -> None:
    inside.command(
        "nft",
        "add table inet filter; add set inet filter friends4 { type ipv4_addr; flags interval; }; "
        'add element inet filter friends4 { 192.0.2.1, 81.2.69.1 comment "allowsync:x", '
        '81.2.69.2 comment "allowsync:x", 81.2.69.3 comment "allowsync:x:1" }',
    )
    included = conf.parent / "sets.nft"
    included.write_text(inside.command("nft", "list", "ruleset"))
    conf.write_text('include "sets.nft"\n')
    (finding,) = saved.at_boot(OURS)
    assert finding.severity is Severity.WARNING
    assert "sets.nft holds 2 elements of allowlist x" in finding.what


@pytest.mark.root
@pytest.mark.parametrize(
    ("line", "fails"),
    [
        ("delete table inet allowsync_x", True),
        ("flush set inet allowsync_x ipv4", True),
        ("add element inet allowsync_x ipv4 { 81.2.69.1 }", True),
        ("add rule inet \\\n allowsync_x gate accept", True),
        ("# delete table inet allowsync_x", False),
        ("add table inet allowsync_x; delete table inet allowsync_x", False),
        ("table inet myallowsync_x { }", False),
        ("table inet allowsync_x.y { }", False),
    ],
)
def test_what_names_a_gate_that_is_not_there_keeps_the_file_from_being_loaded(
    inside: Namespace, conf: Path, line: str, fails: bool
) -> None:
    conf.write_text(f"table inet filter {{ }}\n{line}\n")
    if fails:
        with pytest.raises(AssertionError):
            inside.command("nft", "-f", str(conf))
    else:
        inside.command("nft", "-f", str(conf))
    errors = [one for one in saved.at_boot(OURS) if one.severity is Severity.ERROR]
    assert len(errors) == fails
