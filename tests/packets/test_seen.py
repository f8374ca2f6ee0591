"""When friends last sent a packet, by real packets: what `status --seen` says of whole runs."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import ipsets
from tests.support.gates import FREE, GUARDED
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    SERVER,
    SERVER6,
)
from tests.support.probe import IN_VAIN, tcp_answers, udp_answers
from tests.support.program import ProgramResult, allowsync
from tests.support.ufw import with_ufw

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

TARGETS = {
    "nftables": {"nftables": {"ports": [f"{GUARDED}/tcp", f"{GUARDED}/udp"]}},
    "ipset": {"ipset": {"ports": [f"{GUARDED}/tcp", f"{GUARDED}/udp"]}},
}
HOSTS: dict[str, Any] = {
    "alice": {"networks": [FRIEND]},
    "alix": {"networks": [FRIEND6]},
    "bob": {"networks": [FRIEND_TOO]},
}
LONG_AGO, PAST = 1_700_000_000_000_000, "2023-11-14T22:13:20+00:00"


class Installation:
    """An installation on the server."""

    def __init__(self, internet: Internet, folder: Path, *targets: Any) -> None:
        self.internet, self.targets = internet, targets
        self.state = folder / "state" / "state.db"
        self.path = folder / "config.yaml"
        self.configure(HOSTS)

    def configure(self, hosts: dict[str, Any]) -> None:
        """Write the configuration."""
        document = {
            "hosts": hosts,
            "allowlists": {"web": {"targets": list(self.targets)}},
            "resolver": {"nameservers": ["127.0.0.1:9"], "timeout": "50ms", "attempts": 1},
            "state": str(self.state),
        }
        self.path.write_text(json.dumps(document))
        self.path.chmod(0o600)

    def __call__(self, *command: str) -> ProgramResult:
        return self.internet.server.run(allowsync, *command, "--config", self.path)

    def apply(self) -> None:
        """A run that does all it should."""
        done = self("apply")
        assert done.code == 0, done.err

    def hosts(self) -> dict[str, dict[str, Any]]:
        """What `status` says of each host."""
        document = self("status", "--output", "json").document
        return {one["host"]: one for one in document["hosts"]}

    def age(self) -> None:
        """Have the last packets come long ago."""
        with closing(sqlite3.connect(self.state)) as state, state:
            state.execute("UPDATE uses SET at = ? WHERE at IS NOT NULL", (LONG_AGO,))

    def flush(self) -> None:
        """What a reboot does to the firewall."""
        self.internet.server.command("nft", "flush", "ruleset")
        ipsets.clean(self.internet.server)

    def knock(self, source: str, port: int = GUARDED) -> bool:
        """A packet to the server from an address of the friend's."""
        server = SERVER6 if ":" in source else SERVER
        return udp_answers(self.internet.friend, server, port, source=source)


@pytest.fixture
def stack(internet: Internet, echo: Echo) -> Internet:
    """The little internet, with a service on the server."""
    return internet


@pytest.mark.parametrize("kind", TARGETS)
def test_who_sent_a_packet_was_seen_and_stays_so(
    stack: Internet, kind: str, tmp_path: Path
) -> None:
    installed = Installation(stack, tmp_path, TARGETS[kind])
    installed.apply()
    assert installed.knock(FRIEND_TOO, FREE)  # not guarded: of no interest
    assert not udp_answers(stack.stranger, SERVER, GUARDED, wait=IN_VAIN)
    assert installed.knock(FRIEND)
    assert installed.knock(FRIEND6)
    found = installed.hosts()  # at once, before any run
    assert [found[name]["seen"] is None for name in HOSTS] == [False, False, True]
    since = found["bob"]["counted_since"]
    assert since is not None
    time.sleep(1)  # instants are told to the second
    # Neither a reboot nor a move takes it away; what begins anew is believed.
    installed.apply()
    installed.age()
    installed.flush()
    installed.configure({**HOSTS, "alice": {"networks": ["9.9.9.9"]}})
    installed.apply()
    assert installed.knock(FRIEND6)
    installed.apply()
    found = installed.hosts()
    assert found["alice"]["seen"] == PAST
    assert found["bob"]["counted_since"] > since  # what came before the reboot may be forgotten
    assert found["alix"]["seen"] > PAST
    said = installed("status", "--seen").out
    assert said.count("\n    last packet ") == 2
    assert said.count("\n    never used since ") == 1


def test_ufw_sees_who_opens_a_connection(stack: Internet, tmp_path: Path) -> None:
    with_ufw(stack.server)
    installed = Installation(stack, tmp_path, {"ufw": {"ports": [f"{GUARDED}/tcp"]}})
    installed.apply()
    assert tcp_answers(stack.friend, SERVER, GUARDED, source=FRIEND)
    assert tcp_answers(stack.friend, SERVER6, GUARDED, source=FRIEND6)
    installed.apply()
    seen = {name: one["seen"] is not None for name, one in installed.hosts().items()}
    assert seen == {"alice": True, "alix": True, "bob": False}


def test_who_shares_a_network_is_named(stack: Internet, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    installed = Installation(stack, tmp_path, TARGETS["nftables"], {"file": {"path": str(listed)}})
    installed.configure({**HOSTS, "carol": {"networks": [FRIEND]}})
    installed.apply()
    assert installed.knock(FRIEND)
    found = installed.hosts()
    assert found["alice"]["seen"] == found["carol"]["seen"] is not None
    assert [found[name]["seen_with"] for name in ("alice", "carol", "bob")] == [
        ["carol"],
        ["alice"],
        [],
    ]
    assert found["bob"]["uncounted"] == ["web/file"]
    said = installed("status", "--seen").out
    assert "; shares its network with carol; not counted at web/file\n" in said
