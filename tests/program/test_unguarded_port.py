"""`explain` of a port that no target guards, or none any more: packets tell, and lists do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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


def configured(folder: Path) -> Path:
    """A configuration with a gate at one port."""
    config = folder / "config.yaml"
    document = {
        "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
        "allowlists": {"x": {"targets": [{"nftables": {"ports": ["8096/tcp"]}}]}},
        "state": str(folder / "state" / "state.db"),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    return config


@pytest.mark.parametrize(("port", "allowed"), [("9001", "yes"), ("9003", "no"), ("8096", "no")])
def test_packets_tell_of_a_port_that_no_target_guards(
    tmp_path: Path, port: str, allowed: str
) -> None:
    config = configured(tmp_path)
    with Namespace() as inside:
        with_uplink(inside)
        inside.nft(RULES)
        assert inside.run(allowsync, "apply", "--config", config).code == 0
        asked = ("explain", STRANGER, "--port", port, "--output", "json", "--config", config)
        done = inside.run(allowsync, *asked)
    assert (done.code, done.document["allowed"]) == (0, allowed)
    named = [one["target"] for one in done.document["targets"]]
    assert named == (["x/nftables"] if port == "8096" else [])
    unguarded = f"{port}/tcp is guarded by no target"
    assert (unguarded in done.document["reasons"]) == (port != "8096")


def test_who_gets_in_as_the_gate_is_gone_is_not_told_how_to(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with Namespace() as inside:
        with_uplink(inside)
        inside.run(allowsync, "apply", "--config", config)
        shut = inside.run(allowsync, "explain", STRANGER, "--config", config)
        inside.command("nft", "delete", "table", "inet", "allowsync_x")
        done = inside.run(allowsync, "explain", STRANGER, "--config", config)
    assert "to allow it: " in shut.out
    assert done.out.startswith("x/nftables: 8096/tcp is open to everyone")
    assert "to allow it: " not in done.out


def test_a_gate_is_named_at_its_own_port_alone(tmp_path: Path) -> None:
    config = configured(tmp_path)
    document = json.loads(config.read_text())
    document["allowlists"]["y"] = {"targets": [{"nftables": {"ports": ["5000-5002/tcp"]}}]}
    config.write_text(json.dumps(document))
    with Namespace() as inside:
        with_uplink(inside)
        assert inside.run(allowsync, "apply", "--config", config).code == 0

        def told(*words: str) -> tuple[str, dict[str, Any]]:
            done = inside.run(allowsync, "explain", *words, "--config", config)
            again = inside.run(allowsync, "explain", *words, "--json", "--config", config)
            return done.out, again.document

        text, of_office = told("office", "--port", "5001")
        assert text.startswith("office is allowed\n  y/nftables  allowed by")
        assert "x/nftables" not in text
        assert [one["target"] for one in of_office["targets"]] == ["y/nftables"]
        text, of_stranger = told(STRANGER, "--port", "22")
    assert text.startswith("22/tcp is open to everyone over IPv4 and IPv6 by eth0")
    assert "/nftables" not in text
    assert "to allow it" not in text
    assert (of_stranger["allowed"], of_stranger["targets"]) == ("yes", [])
    assert [one["target"] for one in of_stranger["packets"]] == [None]
