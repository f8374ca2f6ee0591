"""An idle run of the whole program on ipset targets, and whatever changes after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root


def apply(inside: Namespace, folder: Path) -> str:
    config, state = folder / "config.yaml", folder / "state.db"
    return allowsync_in(inside, "apply", "--config", config, "--state", state)


def settle(inside: Namespace, folder: Path, *targets: object) -> None:
    """Two runs with fixed networks."""
    document = {
        "hosts": {"office": {"networks": ["81.2.69.0/24", "2a02:8109:9a40::/48"]}},
        "allowlists": {"web": {"targets": targets}},
    }
    file = folder / "config.yaml"
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    apply(inside, folder)
    assert apply(inside, folder) == ""


@pytest.mark.parametrize("variant", ["nft", "legacy", "auto"])
@pytest.mark.parametrize(
    "deed",
    [
        "ipset del allowsync-web-4 81.2.69.0/24",
        "ipset add allowsync-web-6 ::1",
        "iptables{v} -w -t mangle -F allowsync-web",
        "ip6tables{v} -w -t mangle -D PREROUTING 1",
        "ipset create allowsync-web-4t hash:ip",
    ],
)
def test_an_idle_run_says_nothing_until_something_changes(
    inside: Namespace, tmp_path: Path, variant: str, deed: str
) -> None:
    target = {"ipset": {"ports": ["443/tcp"], "iptables": variant}}
    settle(inside, tmp_path, target)
    assert apply(inside, tmp_path) == ""
    suffix = "" if variant == "auto" else f"-{variant}"
    inside.command(*deed.format(v=suffix).split())
    assert "web/ipset" in apply(inside, tmp_path)


def test_a_flushed_bare_set_is_noticed(inside: Namespace, tmp_path: Path) -> None:
    settle(inside, tmp_path, "ipset")
    assert apply(inside, tmp_path) == ""
    inside.command("ipset", "flush", "allowsync-web-4")
    assert "+ 81.2.69.0/24" in apply(inside, tmp_path)
