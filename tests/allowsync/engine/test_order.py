"""Whole runs over several targets, and what is remembered of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.backend.containment import Interrupted
from allowsync.model.outcome import Outcome
from allowsync.model.types import Policy
from allowsync.testing.memory import MemoryBackend, MemoryStore, memory_type
from tests.support.values import GONE, found, net
from tests.support.world import World, allowlist

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend.api import BackendType
    from allowsync.model.plan import Plan
    from allowsync.plan.result import RunReport
    from allowsync.testing.memory import MemoryOptions

NAMES = ("gate", "proxy", "cloud")
OLD, NEW = net("81.2.69.1"), net("81.2.69.77")
AT_ONCE = Policy(keep_replaced=timedelta(0), replaced_runs=1)


class Killed(Interrupted):
    """As a signal would end it: nothing catches this."""


class Service:
    """Three layers in front of one service, for the friends of a world."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, configured=False)
        self.stores = {name: MemoryStore() for name in NAMES}
        self.calls: list[str] = []
        self.deadly = ""
        self.breaks = ""
        kinds = [self._kind(name, store) for name, store in self.stores.items()]
        self.world.extra = (allowlist("web", self.world.hosts, *kinds),)
        for label in self.world.hosts:
            self.world.change(label, policy=AT_ONCE)

    def _kind(self, name: str, store: MemoryStore) -> BackendType[MemoryOptions]:
        service = self

        class Recording(MemoryBackend):
            def apply(self, plan: Plan) -> None:
                call = f"{name} +{len(plan.add)} -{len(plan.remove)}"
                if call == service.deadly:
                    raise Killed
                if call == service.breaks:
                    raise BackendError("told to break")
                service.calls.append(call)
                super().apply(plan)

        kind = memory_type(store, name)
        object.__setattr__(kind, "make", lambda _placement, _options: Recording(store))
        return kind

    def alice_moves(self) -> RunReport:
        self.world.says["alice.example.org"] = found("81.2.69.77")
        self.calls.clear()
        return self.world.run()

    def foresee(self) -> RunReport:
        """What would be done if she moved."""
        self.world.says["alice.example.org"] = found("81.2.69.77")
        return self.world.run(dry_run=True, after=timedelta(0))

    def has(self, name: str) -> tuple[bool, bool]:
        """Whether a layer lets in Alice's old address, and her new one."""
        networks = self.stores[name].networks
        return OLD in networks, NEW in networks

    def history(self, name: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.world.state)) as raw:
            return raw.execute(
                "SELECT action, network, hosts, why, confirmed FROM changes "
                "WHERE target = ? AND hosts = 'alice' ORDER BY id",
                (f"web/{name}",),
            ).fetchall()


ARRIVED = ("add", "81.2.69.1/32", "alice", "", 1)
CAME = ("add", "81.2.69.77/32", "alice", "alice.example.org moved from 81.2.69.1", 1)
LEFT = ("remove", "81.2.69.1/32", "alice", "alice.example.org moved to 81.2.69.77", 1)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.world.run()
    return service


def test_a_friend_who_moves_within_one_run_is_in_everywhere_before_she_is_out_anywhere(
    service: Service,
) -> None:
    report = service.alice_moves()
    assert service.calls == [
        "gate +1 -0",
        "proxy +1 -0",
        "cloud +1 -1",
        "gate +0 -1",
        "proxy +0 -1",
    ]
    assert {one.outcome for one in report.targets} == {Outcome.APPLIED}
    assert {service.has(name) for name in NAMES} == {(False, True)}


def test_each_change_is_told_and_remembered_once(service: Service) -> None:
    planned = [one.plan for one in service.foresee().targets]
    report = service.alice_moves()
    assert [one.plan for one in report.targets] == planned
    for name in NAMES:
        assert service.history(name) == [ARRIVED, CAME, LEFT]
    assert not service.world.run().has_changes


@pytest.mark.parametrize("call", ["proxy +1 -0", "cloud +1 -1", "gate +0 -1", "proxy +0 -1"])
def test_what_a_killed_run_left_half_done_the_next_one_completes(
    service: Service, call: str
) -> None:
    service.deadly = call
    with pytest.raises(Killed):
        service.alice_moves()
    in_everywhere = all(new for _, new in map(service.has, NAMES))
    assert in_everywhere or all(old for old, _ in map(service.has, NAMES))
    service.deadly = ""
    assert service.world.run().exit_code == 0
    assert {service.has(name) for name in NAMES} == {(False, True)}
    for name in NAMES:
        assert service.history(name) == [ARRIVED, CAME, LEFT]


def test_a_layer_that_is_down_keeps_the_gate_open_to_nobody(service: Service) -> None:
    service.stores["proxy"].fail_apply = "it is down"
    report = service.alice_moves()
    assert [service.has(name) for name in NAMES] == [(False, True), (True, False), (False, True)]
    assert (report.exit_code, report.targets[1].said) == (1, "it is down")
    service.stores["proxy"].fail_apply = ""
    assert service.world.run().exit_code == 0
    assert service.has("proxy") == (False, True)
    assert service.history("proxy") == [ARRIVED, CAME, LEFT]


def test_a_removal_that_fails_leaves_a_friend_with_both_and_the_next_run_ends_it(
    service: Service,
) -> None:
    service.breaks = "gate +0 -1"
    report = service.alice_moves()
    assert [service.has(name) for name in NAMES] == [(True, True), (False, True), (False, True)]
    assert report.exit_code == 1
    assert report.targets[0].said == "done in part (1 added, 0 removed): told to break"
    service.breaks = ""
    assert service.world.run().exit_code == 0
    assert service.has("gate") == (False, True)
    assert service.history("gate") == [ARRIVED, CAME, LEFT]


def test_a_limit_refuses_as_ever_and_the_others_go_last(service: Service) -> None:
    for label in ("bob", "carol", "dave"):
        service.world.change(label, policy=Policy(keep_absent=timedelta(0), absent_runs=1))
        service.world.says[f"{label}.example.org"] = GONE
    report = service.alice_moves()
    assert service.calls == [
        "gate +1 -0",
        "proxy +1 -0",
        "cloud +1 -1",
        "gate +0 -1",
        "proxy +0 -1",
    ]
    assert {one.outcome for one in report.targets} == {Outcome.REFUSED}
    assert report.exit_code == 4
    assert {len(store.networks) for store in service.stores.values()} == {4}
    again = service.world.run()
    assert (again.exit_code, again.has_changes) == (4, False)
