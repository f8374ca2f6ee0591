"""Two allowlists that fill one set, which takes no overlapping entries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync.model.outcome import ExitCode, Outcome
from allowsync.model.value import replace
from allowsync.testing.memory import MemoryBackend, MemoryOptions, MemoryStore
from tests.support.values import T0, found, host, net
from tests.support.world import World, allowlist

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.plan import Plan
    from allowsync.model.target import Current

WIDE, BOB = "93.184.215.0/24", "93.184.215.7"


class Beside(MemoryBackend):
    """Drives a firewall in memory that shares its place with another one."""

    neighbour: MemoryStore

    def read(self) -> Current:
        return replace(super().read(), others=frozenset(self.neighbour.networks))


def test_a_friend_is_in_at_once_when_the_network_of_another_list_goes(tmp_path: Path) -> None:
    world, mine = World(tmp_path), MemoryStore()
    kind = BackendType(
        "beside", "A shared set", MemoryOptions, lambda _p, _o: Beside(mine, world.store), api=API
    )
    world.says["bob.example.org"] = found(BOB)
    until = T0 + timedelta(minutes=8)
    guests = host("guests", hostnames=(), networks=(net(WIDE),), until=until)
    world.hosts = {"guests": guests, "bob": host("bob")}
    world.members, world.extra = ("guests",), (allowlist("ssh", ("bob",), kind),)
    world.run()
    world.run()
    assert (world.store.networks, mine.networks) == ({net(WIDE)}, set())
    report = world.run()
    assert (world.store.networks, mine.networks) == (set(), {net(BOB)})
    assert [one.outcome for one in report.targets] == [Outcome.APPLIED] * 2
    plan = report.targets[1].plan
    assert plan is not None
    assert [one.hosts for one in plan.add] == [("bob",)]
    assert report.exit_code is ExitCode.IN_STEP
    assert not any(one.plan is not None and one.plan.add for one in world.run().targets)


class OneOfEach(Beside):
    """The same where an entry is put in once, as UFW does with a rule."""

    def apply(self, plan: Plan) -> None:
        super().apply(plan)
        self.store.networks -= self.neighbour.networks


def test_what_another_list_put_in_a_moment_ago_is_there(tmp_path: Path) -> None:
    world, mine = World(tmp_path), MemoryStore()
    kind = BackendType(
        "beside", "Rules", MemoryOptions, lambda _p, _o: OneOfEach(mine, world.store), api=API
    )
    world.says["bob.example.org"] = found(BOB)
    world.extra = (allowlist("ssh", ("bob",), kind),)
    assert world.run().exit_code is ExitCode.IN_STEP
    assert (net(BOB) in world.store.networks, mine.networks) == (True, set())
    assert world.run().exit_code is ExitCode.IN_STEP
