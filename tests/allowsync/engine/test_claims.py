"""Whole runs in which the networks of several hosts cover each other: each ends when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.model.target import Capabilities
from allowsync.model.types import Limits
from allowsync.plan.reasons import Reasons
from allowsync.state import Store
from tests.support.values import GONE, SERVFAIL, T0, entry, found, host, net
from tests.support.world import World, only_target

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.answer import Answer

WIDE, NARROW, BOB = "93.184.215.0/24", "93.184.215.0/28", "93.184.215.7"
END = T0 + timedelta(minutes=30)
MERGED, SEPARATE = Capabilities(), Capabilities(overlaps=True)


@pytest.fixture(params=[MERGED, SEPARATE], ids=["merged", "separate"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """Bob, at an address within the network of guests whose access ends in half an hour."""
    world = World(tmp_path)
    world.store.capabilities = request.param
    world.says["bob.example.org"] = found(BOB)
    bob = host("bob", keep_absent=timedelta(minutes=1), absent_runs=2)
    guests = host("guests", hostnames=(), networks=(net(WIDE),), until=END)
    world.hosts = {"bob": bob, "guests": guests}
    world.run()
    assert world.store.networks >= {net(WIDE)}
    return world


def later(world: World, minutes: int = 40, **options: bool) -> None:
    """A run at a minute after the first, with Bob's name gone for long enough."""
    world.says["bob.example.org"] = GONE
    world.run()
    world.run(after=T0 + timedelta(minutes=minutes) - world.instant, **options)


class TestUntil:
    """A limit, an outage or a lost state keeps a friend with what is his, and no guest."""

    def test_a_limit_keeps_the_friend_alone(self, world: World) -> None:
        later(world)
        assert world.held == {BOB}
        report = world.run()
        assert (world.held, int(report.exit_code)) == ({BOB}, 4)
        assert only_target(report).refusal is not None

    def test_the_history_ends_his_access_when_it_ends(self, world: World) -> None:
        later(world)
        with Store.reading(world.state) as store:
            stays = {one.host: one.ended for one in store.past(T0).stays}
        assert stays == {"bob": None, "guests": world.instant}
        later(world, 50, force=True)
        with Store.reading(world.state) as store:
            (bob,) = (one for one in store.past(T0).stays if one.host == "bob")
        assert bob.ended == world.instant
        assert bob.why.startswith("gone from DNS")

    def test_a_dry_run_shows_it(self, world: World) -> None:
        later(world, dry_run=True)
        world.instant -= timedelta(minutes=5)
        report = world.run(dry_run=True)
        plan = only_target(report).plan
        assert plan is not None
        assert {one.network for one in plan.final} == {net(BOB)}
        assert plan.remove[0] == entry(WIDE, "guests")
        reasons = Reasons(report.decisions, report.started)
        assert reasons.removed(plan.remove[0], plan).startswith("access ended on 2026-11-20 15:30")
        (bob,) = plan.final
        assert reasons.added(bob).startswith("retained: removal blocked by limits: gone from DNS")

    @pytest.mark.parametrize("offline", [False, True])
    def test_after_a_flush_he_is_let_in_again_and_they_are_not(
        self, world: World, offline: bool
    ) -> None:
        later(world)
        world.store.networks.clear()
        world.store.flaws = ["the gate is gone"]
        world.run(offline=offline)
        assert world.held == {BOB}

    @pytest.mark.parametrize("offline", [False, True])
    def test_a_flush_in_between_extends_nothing(self, world: World, offline: bool) -> None:
        world.says["bob.example.org"] = GONE
        world.run()
        world.store.networks.clear()
        world.store.flaws = ["the gate is gone"]
        world.run(after=timedelta(minutes=40), offline=offline)
        assert world.held == {BOB}

    def test_a_friend_whose_name_is_silent_stays_with_his_own(self, world: World) -> None:
        world.says["bob.example.org"] = SERVFAIL
        world.runs(3, after=timedelta(minutes=20))
        assert world.held == {BOB}

    @pytest.mark.parametrize("force", [False, True])
    def test_force_lets_him_go_as_well(self, world: World, force: bool) -> None:
        later(world, force=force)
        assert world.held == (set() if force else {BOB})

    def test_with_two_ends_the_later_one_keeps_only_what_is_within_it(self, world: World) -> None:
        inner = (net(NARROW),)
        more = END + timedelta(hours=1)
        world.hosts["visitor"] = host("visitor", hostnames=(), networks=inner, until=more)
        world.run()
        later(world)
        assert world.store.networks | {net(BOB)} == {net(NARROW), net(BOB)}
        world.run(after=timedelta(hours=2))
        assert net(NARROW) not in world.store.networks

    def test_a_renamed_guest_has_no_longer(self, world: World) -> None:
        world.hosts["visitors"] = host("visitors", hostnames=(), networks=(net(WIDE),), until=END)
        del world.hosts["guests"]
        world.run()
        later(world)
        assert world.held == {BOB}

    @pytest.mark.parametrize("answer", [SERVFAIL, GONE, found(BOB)])
    def test_a_lost_state_keeps_no_network_that_is_known_to_have_ended(
        self, world: World, answer: Answer
    ) -> None:
        world.says["bob.example.org"] = answer
        world.state.unlink()
        world.run(after=timedelta(minutes=40))
        # Where entries may not overlap, nothing tells that the friend was let in by that one, too.
        known = world.store.capabilities.overlaps or answer == found(BOB)
        assert world.held == ({BOB} if known else set())

    def test_a_lost_state_keeps_no_guest_that_is_a_stranger_to_it(self, world: World) -> None:
        world.state.unlink()
        world.says["bob.example.org"] = SERVFAIL
        world.run(after=timedelta(minutes=10))
        assert net(WIDE) in world.store.networks
        world.run(after=timedelta(minutes=30))
        assert net(WIDE) not in world.store.networks


def test_a_friend_within_a_network_of_others_counts_for_the_limits(world: World) -> None:
    world.limits = Limits(0.0, 0)
    world.says["bob.example.org"] = GONE
    report = world.runs(3)
    assert int(report.exit_code) == 0 or net(BOB) in world.store.networks
    world.run(after=timedelta(minutes=40))
    assert world.held == {BOB}


def test_who_is_let_in_is_remembered_apart(world: World) -> None:
    with Store.reading(world.state) as store:
        known = store.target("web/memory")
    assert known is not None
    assert set(known.claimed) == {entry(WIDE, "guests"), entry(BOB, "bob")}


def test_what_a_host_has_not_any_more_is_forgotten_though_nothing_changes(world: World) -> None:
    world.says["bob.example.org"] = found("81.2.69.9")
    world.runs(5)
    with Store.reading(world.state) as store:
        known = store.target("web/memory")
    assert known is not None
    assert set(known.claimed) == {entry(WIDE, "guests"), entry("81.2.69.9", "bob")}


def test_what_guards_took_back_is_not_kept_for_a_host_that_is_undecided(tmp_path: Path) -> None:
    parking = "45.9.9.9"
    world = World(tmp_path)
    world.everybody(SERVFAIL)
    world.says["alice.example.org"] = found(parking)
    world.run()
    assert world.held == {parking}
    world.everybody(found(parking))
    world.runs(2)
    assert world.held == set()


@pytest.mark.parametrize("flushed", [False, True])
def test_what_a_limit_keeps_stays_with_a_host_that_has_a_new_label(
    tmp_path: Path, flushed: bool
) -> None:
    world = World(tmp_path)
    world.run()
    before = set(world.held)
    world.everybody(GONE)
    world.runs(16)
    assert world.held == before
    names = {f"{label}-home": one for label, one in world.hosts.items()}
    world.hosts = {label: host(label, hostnames=one.hostnames) for label, one in names.items()}
    if flushed:
        world.store.networks.clear()
    world.runs(2)
    assert world.held == before
