"""Flushes, restarts, disks that are read-only, states that are lost or old: who gets in after."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.behaviours import SERVFAIL
from testkit.fake_dns.nameserver import NameServer
from tests.packets.test_ordered_access import ZONES, Gate
from tests.program.test_read_only_state import frozen
from tests.support.gates import GUARDED
from tests.support.internet import FRIEND, FRIEND_TOO, SERVER
from tests.support.probe import IN_VAIN, tcp_answers
from tests.support.program import allowsync
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root


class Disaster(Gate):
    """An installation whose names are silent by now: all that it knows is what it knew."""

    def is_flushed(self) -> None:
        self.internet.server.nft("flush ruleset")
        self("apply")

    def starts_anew(self) -> None:
        """The unit for that runs before the network is up."""
        self.internet.server.nft("flush ruleset")
        self("apply --offline")

    def is_flushed_and_can_write_nothing(self) -> None:
        self.internet.server.nft("flush ruleset")
        run = ("apply", "--config", self.path)
        self.internet.server.run(allowsync, *run, prefix=frozen(self.state.parent))

    def loses_its_state(self) -> None:
        shutil.rmtree(self.state.parent)
        self("apply")

    def gets_an_old_state(self) -> None:
        backup = self.state.read_bytes()
        self("apply")
        self.state.write_bytes(backup)
        self("apply")

    def strangers(self) -> int:
        """How many strangers get in."""
        return int(tcp_answers(self.internet.stranger, SERVER, GUARDED, wait=IN_VAIN))

    def locked_out(self) -> int:
        return sum(not self.passes(one) for one in (FRIEND, FRIEND_TOO))


DISASTERS: dict[str, Callable[[Disaster], None]] = {
    "a flush": Disaster.is_flushed,
    "a restart": Disaster.starts_anew,
    "a flush, on a disk that is read-only": Disaster.is_flushed_and_can_write_nothing,
    "a lost state": Disaster.loses_its_state,
    "a backup that was put back": Disaster.gets_an_old_state,
}


@pytest.fixture
def gate(internet: Internet, echo: Echo, tmp_path: Path) -> Iterator[Disaster]:
    with internet.server.run(NameServer, dict(ZONES)) as server:
        gate = Disaster(internet, tmp_path, server)
        assert gate("apply").code == 0
        server.zones.update(dict.fromkeys(ZONES, SERVFAIL))
        yield gate


def test_friends_are_in_and_strangers_out_after_every_disaster(gate: Disaster) -> None:
    for what, happens in DISASTERS.items():
        happens(gate)
        figures = (gate.locked_out(), gate.strangers())
        assert figures == (0, 0), what
        record("disasters", where=what, lockouts=0, strangers=0)
