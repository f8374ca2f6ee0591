"""`explain --port` of a port that no target guards: lists say nothing of it, packets do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.program import allowsync

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root

STRANGER = "91.64.10.7"
RULES = """
table ip other {
  chain to { type nat hook prerouting priority dstnat; tcp dport 9001 redirect to :9002; }
  chain in { type filter hook input priority filter; tcp dport 9003 drop; }
}
"""


@pytest.mark.parametrize(("port", "allowed"), [("9001", "yes"), ("9003", "no"), ("8096", "no")])
def test_packets_tell_of_a_port_that_no_target_guards(
    tmp_path: Path, port: str, allowed: str
) -> None:
    config = tmp_path / "config.yaml"
    document = {
        "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
        "allowlists": {"x": {"targets": [{"nftables": {"ports": ["8096/tcp"]}}]}},
        "state": str(tmp_path / "state" / "state.db"),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    with Namespace() as inside:
        with_uplink(inside)
        inside.nft(RULES)
        assert inside.run(allowsync, "apply", "--config", config).code == 0
        asked = ("explain", STRANGER, "--port", port, "--output", "json", "--config", config)
        done = inside.run(allowsync, *asked)
    assert (done.code, done.document["allowed"]) == (0, allowed)
    unguarded = f"{port}/tcp is guarded by no target"
    assert (unguarded in done.document["reasons"]) == (port != "8096")
