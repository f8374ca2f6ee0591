"""Whole runs over a firewall in memory and a real state file."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.backend.api import Needs
from allowsync.inspect.status_problems import exit_code
from allowsync.model.outcome import Outcome
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Basis, Limits
from allowsync.state import Busy, Lock, Store
from allowsync.testing.memory import MemoryBackend, MemoryStore, memory_type
from tests.support.sampling import share
from tests.support.values import FIVE_MINUTES, GONE, SERVFAIL, T0, V4, V6, found, host, net
from tests.support.world import FRIENDS, World, allowlist, only_target

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.answer import Answer
    from allowsync.model.plan import Plan

ALL = {"81.2.69.1", "81.2.69.2", "81.2.69.3", "81.2.69.4"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_run_puts_everybody_in_and_the_second_has_nothing_to_do(world: World) -> None:
    first = world.run()
    assert (only_target(first).outcome, first.exit_code, world.held) == (Outcome.APPLIED, 0, ALL)
    second = world.run()
    assert (only_target(second).outcome, second.exit_code) == (Outcome.UNCHANGED, 0)
    assert len(world.store.applied) == 1


def test_a_run_that_hears_what_it_knows_rewrites_no_row_of_a_host(world: World) -> None:
    """Nor of a name that never had an address, as most homes have no IPv6."""
    world.change("alice", hostnames=("alice.example.org", "six.example.org"))

    def rows() -> list[list[tuple[object, ...]]]:
        with closing(sqlite3.connect(world.state)) as raw:
            names = ("tracks", "held", "arrivals", "answers", "fixed")
            return [raw.execute(f"SELECT * FROM {name}").fetchall() for name in names]

    world.runs(3)
    before = rows()
    assert len(before[0]) == len(FRIENDS) + 1
    world.run()
    assert rows() == before
    world.says["bob.example.org"] = SERVFAIL
    world.run()
    with closing(sqlite3.connect(world.state)) as raw:
        silent = "SELECT hostname, last_found FROM tracks WHERE unavailable_runs"
        last = round((world.instant - FIVE_MINUTES).timestamp() * 1e6)
        assert raw.execute(silent).fetchall() == [("bob.example.org", last)]


def test_a_dry_run_writes_nothing_at_all(world: World) -> None:
    report = world.run(dry_run=True)
    assert only_target(report).outcome is Outcome.PLANNED
    assert (report.has_changes, world.held, list(world.folder.iterdir())) == (True, set(), [])


def test_a_dry_run_tells_what_the_run_then_does(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    before = world.state.read_bytes()
    planned = only_target(world.run(dry_run=True)).plan
    assert world.state.read_bytes() == before
    applied = only_target(world.run(after=timedelta(0)))
    assert (applied.plan, applied.outcome) == (planned, Outcome.APPLIED)


def test_when_every_lookup_fails_nobody_loses_access(world: World) -> None:
    world.run()
    world.everybody(SERVFAIL)
    report = world.runs(100)
    assert (report.exit_code, world.held) == (3, ALL)
    assert all(one.basis is Basis.STALE for d in report.decisions.values() for one in d.grants)


def test_a_flushed_firewall_is_filled_again_though_the_dns_is_silent(world: World) -> None:
    world.run()
    world.everybody(SERVFAIL)
    world.store.networks.clear()
    assert only_target(world.run()).outcome is Outcome.APPLIED
    assert world.held == ALL


def test_drift_is_repaired_in_both_directions(world: World) -> None:
    world.run()
    world.store.networks.discard(net("81.2.69.1"))
    world.plant("6.6.6.6")
    report = world.run()
    plan = only_target(report).plan
    assert plan is not None
    assert [str(one.network) for one in plan.remove] == ["6.6.6.6/32"]
    assert world.held == ALL


def test_labels_that_have_no_room_are_written_once(world: World) -> None:
    """The firewall in memory takes labels, and gives none back."""
    world.store.capabilities = Capabilities(atomic=True, labels=True)
    world.run()
    for report in (world.run(), world.run()):
        assert only_target(report).outcome is Outcome.UNCHANGED
    assert len(world.store.applied) == 1


def test_a_moved_friend_is_in_at_once_and_the_old_address_goes_later(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    world.run()
    assert world.held == ALL | {"81.2.69.77"}
    world.runs(3)
    assert world.held == (ALL | {"81.2.69.77"}) - {"81.2.69.1"}


def test_a_vanished_name_is_withdrawn_after_its_time(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = GONE
    report = world.runs(12)
    assert (world.held, report.exit_code) == (ALL, 3)
    report = world.run()
    assert (world.held, report.exit_code) == (ALL - {"81.2.69.1"}, 0)


def test_a_limit_refuses_a_mass_removal_and_additions_go_ahead(world: World) -> None:
    world.run()
    for label in ("alice", "bob", "carol"):
        world.says[f"{label}.example.org"] = GONE
    world.says["dave.example.org"] = found("81.2.69.4", "81.2.69.44")
    report = world.runs(13)
    target = only_target(report)
    assert (target.outcome, report.exit_code) == (Outcome.REFUSED, 4)
    assert world.held == ALL | {"81.2.69.44"}
    again = world.run()
    assert again.exit_code == 4, "what was refused once is refused until somebody decides"
    assert world.run(force=True).exit_code == 0
    assert world.held == {"81.2.69.4", "81.2.69.44"}


def test_an_allowlist_is_never_emptied_by_a_run(world: World) -> None:
    world.limits = Limits(max_remove_hosts=1.0)
    world.run()
    world.everybody(GONE)
    report = world.runs(20)
    assert (report.exit_code, world.held) == (4, ALL)
    assert "empty" in only_target(report).said


def test_until_ends_access_at_once_while_the_dns_is_silent(world: World) -> None:
    world.run()
    world.everybody(SERVFAIL)
    for label in ("alice", "bob", "carol"):
        world.change(label, until=T0)
    report = world.run()
    assert (world.held, report.exit_code) == ({"81.2.69.4"}, 3)


def test_the_last_access_that_ends_closes_the_gate_and_keeps_it(world: World) -> None:
    world.run()
    for label in world.hosts:
        world.change(label, until=T0)
    assert world.run().exit_code == 0
    assert world.held == set()
    assert not world.asked[4:], "who has no access any more is not asked for"


def test_a_host_taken_out_of_the_allowlist_loses_access_at_once(world: World) -> None:
    world.run()
    world.everybody(SERVFAIL)
    world.members = ("carol", "dave")
    assert world.run().exit_code == 3
    assert world.held == {"81.2.69.3", "81.2.69.4"}


def test_a_new_host_nobody_can_resolve_leaves_the_others_as_they_are(world: World) -> None:
    world.hosts["eve"] = host("eve")
    world.says["eve.example.org"] = SERVFAIL
    report = world.run()
    assert (world.held, report.exit_code) == (ALL, 3)
    assert report.decisions["eve"].undecided


def test_a_host_whose_name_was_changed_keeps_access_until_the_new_name_answers(
    world: World,
) -> None:
    world.run()
    world.change("alice", hostnames=("new.example.org",))
    world.says["new.example.org"] = SERVFAIL
    report = world.run()
    assert (world.held, report.exit_code) == (ALL, 3)
    world.says["new.example.org"] = found("81.2.69.99")
    assert world.run().exit_code == 0
    assert world.held == (ALL - {"81.2.69.1"}) | {"81.2.69.99"}


@pytest.mark.parametrize("answer", [SERVFAIL, GONE])
def test_who_gets_a_new_name_and_then_a_new_label_stays_in(world: World, answer: Answer) -> None:
    """And then another name: what the first one gave is known until one of today's is found."""
    world.run()
    world.says["new.example.org"] = world.says["newer.example.org"] = answer
    world.change("alice", hostnames=("new.example.org",))
    world.run()
    world.hosts["alice-home"] = replace(world.hosts.pop("alice"), name="alice-home")
    world.run()
    assert "81.2.69.1" in world.held
    world.change("alice-home", hostnames=("newer.example.org",))
    report = world.runs(30)
    assert "81.2.69.1" in world.held
    assert [one.basis for one in report.decisions["alice-home"].grants] == [Basis.FORMER]
    world.says["newer.example.org"] = found("81.2.70.1")
    world.runs(5)
    assert "81.2.69.1" not in world.held
    assert "81.2.70.1" in world.held


def test_the_networks_of_a_former_name_end_although_todays_name_is_silent(world: World) -> None:
    """The host has no history of today's name, but that of its former one, whose time is over."""
    world.run()
    world.change("alice", hostnames=("alice.example.com",))
    world.says["alice.example.com"] = SERVFAIL
    world.runs(2, after=timedelta(days=1.4))
    assert "81.2.69.1" in world.held
    report = world.run(after=timedelta(days=1))
    assert "81.2.69.1" not in world.held
    assert not report.decisions["alice"].undecided
    world.plant("81.2.69.1")
    world.runs(2)
    assert "81.2.69.1" not in world.held
    world.says["alice.example.com"] = found("81.2.69.9")
    world.runs(2)
    assert "81.2.69.9" in world.held


def test_who_is_revoked_does_not_come_back_by_a_former_name(world: World) -> None:
    world.run()
    world.says["new.example.org"] = world.says["newer.example.org"] = SERVFAIL
    world.change("alice", hostnames=("new.example.org",))
    world.run()
    world.change("alice", revoked=world.instant)
    world.run()
    assert world.held == ALL - {"81.2.69.1"}
    former = replace(world.hosts.pop("alice"), name="alice-home", revoked=None)
    world.hosts["alice-home"] = former
    world.run()
    world.change("alice-home", hostnames=("newer.example.org",))
    world.runs(3)
    assert world.held == ALL - {"81.2.69.1"}


class TestLostState:
    """Without history nothing is removed; later the clocks decide."""

    def test_nothing_is_removed_when_the_state_is_lost_and_the_dns_is_silent(
        self, world: World
    ) -> None:
        world.run()
        world.state.unlink()
        world.everybody(SERVFAIL)
        runs = share(800, 100)
        report = world.runs(runs, after=800 * FIVE_MINUTES / runs)
        plan = only_target(report).plan
        assert plan is not None
        assert (world.held, report.exit_code, len(plan.withheld)) == (ALL, 3, 4)

    def test_an_old_address_stays_as_long_as_a_replaced_one(self, world: World) -> None:
        world.run()
        world.state.unlink()
        world.says["alice.example.org"] = found("81.2.69.77")
        world.run()
        assert world.held == ALL | {"81.2.69.77"}
        world.runs(3)
        assert world.held == (ALL | {"81.2.69.77"}) - {"81.2.69.1"}

    def test_what_went_then_is_not_put_back_by_a_restart(self, world: World) -> None:
        world.run()
        world.state.unlink()
        world.says["alice.example.org"] = found("81.2.69.77")
        world.runs(4)
        world.store.networks.clear()
        world.store.flaws = ["the gate is gone"]
        world.run(offline=True)
        assert world.held == (ALL | {"81.2.69.77"}) - {"81.2.69.1"}

    def test_what_strangers_add_later_is_removed_all_the_same(self, world: World) -> None:
        world.run()
        world.state.unlink()
        world.says["alice.example.org"] = SERVFAIL
        world.run()
        world.plant("6.6.6.6")
        world.run()
        assert world.held == ALL

    def test_a_damaged_state_is_set_aside_and_the_run_adds_only(self, world: World) -> None:
        world.run()
        world.state.write_bytes(b"garbage" * 4096)
        world.says["alice.example.org"] = found("81.2.69.77")
        report = world.run()
        assert world.held == ALL | {"81.2.69.77"}
        assert any("set aside" in one.what for one in report.notices)
        (aside,) = world.state.parent.glob("state.db.set-aside-*")
        assert aside.read_bytes() == b"garbage" * 4096
        assert world.run().notices == ()

    def test_a_dry_run_leaves_a_damaged_state_where_it_is(self, world: World) -> None:
        world.run()
        world.state.write_bytes(b"garbage" * 4096)
        report = world.run(dry_run=True)
        assert any("without history" in one.what for one in report.notices)
        assert world.state.read_bytes() == b"garbage" * 4096

    def test_damage_found_late_is_set_aside_too(self, world: World) -> None:
        world.run()
        with closing(sqlite3.connect(world.state)) as raw:
            raw.execute("DROP TABLE changes")
            raw.execute("DROP TABLE answers")
            raw.commit()
        world.says["alice.example.org"] = found("81.2.69.77")
        report = world.run()
        assert world.held == ALL | {"81.2.69.77"}
        assert any("set aside" in one.what for one in report.notices)

    def test_the_state_of_a_newer_version_is_kept_beside(self, world: World) -> None:
        world.run()
        with closing(sqlite3.connect(world.state)) as raw:
            raw.execute("PRAGMA user_version = 99")
        world.run()
        assert len(list(world.state.parent.glob("state.db.set-aside-*"))) == 1
        assert world.held == ALL

    def test_a_state_that_is_no_file_keeps_no_gate_down(self, world: World) -> None:
        world.state.parent.mkdir()
        world.state.mkdir()
        report = world.run()
        target = only_target(report)
        assert (target.outcome, report.exit_code, world.held) == (Outcome.UNRECORDED, 1, ALL)
        assert "state cannot be written" in target.said
        assert "Is a directory" in target.said
        world.everybody(SERVFAIL)
        report = world.run()
        assert (report.exit_code, world.held) == (1, ALL)

    @pytest.mark.parametrize("lost", ["unreadable", "damaged", "emptied", "a byte"])
    def test_a_gate_goes_up_empty_where_a_state_was_lost_and_no_name_answers(
        self, world: World, lost: str
    ) -> None:
        world.run()
        if lost == "unreadable":
            world.state.unlink()
            world.state.mkdir()
        else:
            left = {"damaged": b"no database" * 99, "emptied": b"", "a byte": b"S"}
            world.state.write_bytes(left[lost])
        world.store.networks.clear()
        world.store.flaws = ["the gate is gone"]
        report = world.run(offline=True)
        target = only_target(report)
        expected = Outcome.UNRECORDED if lost == "unreadable" else Outcome.APPLIED
        assert (target.outcome, world.held, world.store.flaws) == (expected, set(), [])
        assert report.exit_code == 1
        assert "recreated without entries" in target.said
        report = world.run()
        assert world.held == ALL

    def test_a_host_that_is_renamed_while_its_target_is_unreadable_goes_by_its_new_label(
        self, world: World
    ) -> None:
        world.run()
        was = world.hosts.pop("alice")
        world.hosts["alicia"] = replace(was, name="alicia")
        world.store.fail_read = "for now"
        assert world.run().exit_code == 1
        with Store.reading(world.state) as store:
            (name,) = store.targets()
            known = store.target(name)
        assert known is not None
        labels = {label for entry in known.entries for label in entry.hosts}
        assert ("alicia" in labels, "alice" in labels) == (True, False)

    def test_a_first_run_without_an_answer_puts_up_no_gate(self, world: World) -> None:
        world.store.flaws = ["the gate is gone"]
        report = world.run(offline=True)
        assert (only_target(report).outcome, report.exit_code) == (Outcome.FAILED, 1)
        assert world.store.flaws == ["the gate is gone"]

    def test_a_lock_that_cannot_be_held_keeps_no_gate_down(self, world: World) -> None:
        world.run()
        lock = world.state.with_name("state.db.lock")
        lock.unlink()
        lock.mkdir()
        world.store.networks.clear()
        report = world.run(offline=True)
        assert (only_target(report).outcome, report.exit_code) == (Outcome.UNRECORDED, 1)
        assert world.held == ALL

    def test_a_run_with_nothing_to_apply_is_remembered_in_one_step(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.run()
        statements: list[str] = []
        connect = sqlite3.connect

        def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            made: sqlite3.Connection = connect(*args, **kwargs)
            made.set_trace_callback(statements.append)
            return made

        monkeypatch.setattr(sqlite3, "connect", traced)
        world.run()
        assert statements.count("COMMIT") == 1
        statements.clear()
        world.says["alice.example.org"] = found("81.2.69.77")
        world.run()
        assert statements.count("COMMIT") == 3

    @pytest.mark.parametrize("largest", [1024, 32 * 1024, 64 * 1024])
    def test_a_state_that_fills_up_is_said_by_a_run_with_nothing_to_apply(
        self, world: World, largest: int
    ) -> None:
        world.run()
        before = world.state.read_bytes()
        assert len(before) > largest
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
        try:
            report = world.run()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        target = only_target(report)
        assert (target.outcome, report.exit_code, world.held) == (Outcome.UNRECORDED, 1, ALL)
        assert "state cannot be written" in target.said
        again = world.run()
        assert (only_target(again).outcome, again.exit_code) == (Outcome.UNCHANGED, 0)

    def test_damage_found_at_the_end_of_a_run_with_nothing_to_apply_is_set_aside(
        self, world: World
    ) -> None:
        world.run()
        with closing(sqlite3.connect(world.state)) as raw:
            raw.execute("CREATE UNIQUE INDEX bad ON runs (exit_code * 0)")  # one may be over
        report = world.run()
        assert any("set aside" in one.what for one in report.notices)
        assert world.held == ALL

    @pytest.mark.parametrize("answer", [SERVFAIL, GONE])
    def test_a_gate_that_is_gone_is_put_up_again_though_no_host_has_a_grant(
        self, world: World, answer: Answer
    ) -> None:
        world.run()
        world.everybody(answer)
        world.runs(5, after=timedelta(hours=20))
        held = world.held
        assert held, "a limit keeps the last entries"
        world.store.networks.clear()
        world.store.flaws = ["the gate is gone"]
        report = world.run(offline=True)
        assert only_target(report).outcome is Outcome.APPLIED
        assert world.held == held

    def test_a_lock_that_cannot_be_made_is_said_and_waited_for_by_no_gate(
        self, world: World
    ) -> None:
        (world.folder / "lib").touch()
        report = world.run()
        assert (only_target(report).outcome, report.exit_code) == (Outcome.UNRECORDED, 1)
        assert world.held == ALL


class TestClock:
    """A wall clock that jumps expires nothing in that run."""

    @pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
    def test_a_jump_removes_nothing_and_is_said(self, world: World, jump: timedelta) -> None:
        world.run()
        world.everybody(SERVFAIL)
        world.runs(5)
        report = world.run(after=jump)
        assert world.held == ALL
        assert [one.where for one in report.notices] == ["clock"]

    def test_a_steady_clock_is_not_mentioned(self, world: World) -> None:
        world.run()
        assert world.run(after=timedelta(hours=23)).notices == ()


class TestOffline:
    """At boot, before there is a network."""

    def test_what_was_known_last_is_restored_without_asking(self, world: World) -> None:
        world.run()
        world.store.networks.clear()
        asked = len(world.asked)
        report = world.run(offline=True, after=timedelta(days=30))
        assert (world.held, report.exit_code) == (ALL, 0)
        assert len(world.asked) == asked

    def test_access_that_ended_is_not_restored(self, world: World) -> None:
        world.run()
        world.store.networks.clear()
        world.change("alice", until=T0)
        world.run(offline=True)
        assert world.held == ALL - {"81.2.69.1"}

    def test_a_host_that_came_back_into_the_configuration_starts_anew(self, world: World) -> None:
        world.run()
        alice = world.hosts.pop("alice")
        world.run()
        world.hosts["alice"] = alice
        world.run(offline=True)
        assert world.held == ALL - {"81.2.69.1"}

    def test_what_is_elsewhere_is_not_waited_for(self, world: World) -> None:
        far, broken = MemoryStore(), MemoryStore()
        online = replace(memory_type(far, "far"), needs=lambda _: Needs(online=True))
        defect = replace(memory_type(broken, "broken"), needs=_defective)
        world.extra = (allowlist("cloud", world.hosts, online, defect),)
        world.run()
        for store in (world.store, far, broken):
            store.networks.clear()
        far.fail_read = "there is no network"
        report = world.run(offline=True)
        assert [one.target for one in report.targets] == ["web/memory", "cloud/broken"]
        assert (report.exit_code, far.networks) == (0, set())
        assert world.held == {str(one).removesuffix("/32") for one in broken.networks} == ALL

    def test_with_no_memory_there_is_nothing_to_restore_and_nobody_is_locked_out(
        self, world: World
    ) -> None:
        world.store.flaws.append("there is no gate")
        report = world.run(offline=True)
        assert (report.exit_code, world.store.applied) == (1, [])
        assert "lock everyone out" in only_target(report).said


def _defective(_: object) -> Needs:
    raise ZeroDivisionError


class TestEmptyGate:
    """A gate nobody can pass is only put up on purpose."""

    def test_a_first_run_without_any_answer_puts_up_no_gate(self, world: World) -> None:
        world.store.flaws.append("there is no gate")
        world.everybody(SERVFAIL)
        report = world.run()
        assert (only_target(report).outcome, world.store.applied) == (Outcome.FAILED, [])

    def test_allow_empty_puts_it_up(self, world: World) -> None:
        world.store.flaws.append("there is no gate")
        world.limits = Limits(allow_empty=True)
        world.everybody(SERVFAIL)
        world.run()
        assert (len(world.store.applied), world.store.flaws) == (1, [])

    def test_where_nobody_is_trusted_any_more_it_is_put_up(self, world: World) -> None:
        world.store.flaws.append("there is no gate")
        for label in world.hosts:
            world.change(label, until=T0 - timedelta(days=1))
        assert only_target(world.run()).outcome is Outcome.APPLIED


class TestTargets:
    """Targets are independent, and only what was read back counts."""

    def test_one_failing_never_stops_another(self, world: World) -> None:
        broken = MemoryStore(fail_read="no privilege")
        world.extra = (allowlist("ssh", ("alice",), memory_type(broken, "broken")),)
        report = world.run()
        assert [one.outcome for one in report.targets] == [Outcome.APPLIED, Outcome.FAILED]
        assert (world.held, report.exit_code) == (ALL, 1)
        assert "could not be read: no privilege" in report.targets[1].said

    def test_a_failed_apply_is_told_and_tried_again(self, world: World) -> None:
        world.store.fail_apply = "disk full"
        assert (world.run().exit_code, world.held) == (1, set())
        world.store.fail_apply = ""
        assert (world.run().exit_code, world.held) == (0, ALL)

    def test_an_unknown_outcome_is_said_as_such(self, world: World) -> None:
        world.store.unknown = "timed out"
        target = only_target(world.run())
        assert target.outcome is Outcome.UNKNOWN
        assert "could not confirm" in target.said
        world.store.unknown = ""
        assert world.run().exit_code == 0

    def test_an_apply_that_lies_is_found_out(self, world: World) -> None:
        class Lying(MemoryStore):
            pass

        lying = Lying()
        kind = memory_type(lying, "lying")

        class Backend(MemoryBackend):
            def apply(self, plan: Plan) -> None:
                lying.networks = {net("6.6.6.6")}

        object.__setattr__(kind, "make", lambda _placement, _options: Backend(lying))
        world.extra = (allowlist("ssh", ("alice",), kind),)
        report = world.run()
        assert report.targets[1].outcome is Outcome.UNKNOWN
        assert "missing: 1 entry; not meant: 1 entry" in report.targets[1].said

    def test_a_read_back_that_fails_is_not_taken_for_success(self, world: World) -> None:
        store = MemoryStore()
        kind = memory_type(store, "mute")

        class Backend(MemoryBackend):
            def apply(self, plan: Plan) -> None:
                super().apply(plan)
                store.fail_read = "gone"

        object.__setattr__(kind, "make", lambda _placement, _options: Backend(store))
        world.extra = (allowlist("ssh", ("alice",), kind),)
        target = world.run().targets[1]
        assert (target.outcome, "read back: gone" in target.said) == (Outcome.UNKNOWN, True)

    def test_a_defect_in_a_backend_is_an_outcome_and_no_traceback(self, world: World) -> None:
        store = MemoryStore()
        kind = memory_type(store, "defect")

        class Backend(MemoryBackend):
            def read(self) -> Current:
                raise ZeroDivisionError("oops")

        object.__setattr__(kind, "make", lambda _placement, _options: Backend(store))
        world.extra = (allowlist("ssh", ("alice",), kind),)
        report = world.run()
        assert "unexpected ZeroDivisionError: oops" in report.targets[1].said
        assert world.held == ALL

    @pytest.mark.parametrize(
        ("times", "outcome"), [(1, Outcome.APPLIED), (2, Outcome.APPLIED), (3, Outcome.FAILED)]
    )
    def test_interference_is_met_with_a_fresh_look(
        self, world: World, times: int, outcome: Outcome
    ) -> None:
        world.store.again = times
        target = only_target(world.run())
        assert target.outcome is outcome
        assert (world.held == ALL) is (outcome is Outcome.APPLIED)

    def test_what_a_target_cannot_hold_is_told_and_the_rest_applied(self, world: World) -> None:
        world.store.capabilities = Capabilities(families=(V4,))
        world.hosts["alice"] = host("alice", families=(V4, V6))
        world.says["alice.example.org"] = found("2a01::7")
        report = world.run()
        assert (world.held, report.exit_code) == (ALL - {"81.2.69.1"}, 1)
        assert "cannot hold 2a01::/64" in only_target(report).said

    def test_a_target_that_is_too_small_is_left_alone(self, world: World) -> None:
        world.store.capabilities = Capabilities(max_entries=3)
        target = only_target(world.run())
        assert (target.outcome, world.held) == (Outcome.FAILED, set())
        assert "4 entries do not fit" in target.said

    def test_a_target_that_is_too_small_in_one_family_is_left_alone(self, world: World) -> None:
        world.store.capabilities = Capabilities(family_entries={V4: 3, V6: 9})
        target = only_target(world.run())
        assert (target.outcome, world.held) == (Outcome.FAILED, set())
        assert "4 entries of ipv4 do not fit, it holds 3" in target.said


class TestScope:
    """`--only`, and what is configured no longer."""

    def test_only_one_allowlist_is_looked_at(self, world: World) -> None:
        other = MemoryStore()
        world.extra = (allowlist("ssh", ("alice",), memory_type(other, "other")),)
        report = world.run("ssh")
        assert [one.target for one in report.targets] == ["ssh/other"]
        assert (list(report.decisions), world.held) == (["alice"], set())
        assert other.networks == {net("81.2.69.1")}

    def test_the_memory_of_other_allowlists_hosts_survives_a_partial_run(
        self, world: World
    ) -> None:
        world.extra = (allowlist("ssh", ("alice",), memory_type(MemoryStore(), "other")),)
        world.run()
        world.run("ssh")
        world.everybody(SERVFAIL)
        world.run()
        assert world.held == ALL

    def test_a_target_configured_no_longer_is_reported_by_every_run(self, world: World) -> None:
        world.run()
        world.configured = False
        world.extra = (allowlist("ssh", ("alice",), memory_type(MemoryStore(), "other")),)
        for _ in range(3):
            report = world.run()
            assert [one.where for one in report.notices] == ["web/memory"]
            assert "clear --only web" in report.notices[0].what
        assert world.held == ALL
        assert world.run("ssh").notices == ()

    def test_what_a_target_of_the_same_name_left_elsewhere_is_reported(self, world: World) -> None:
        world.places = ("the table a",)
        world.run()
        world.places = ("the table b",)
        assert world.run().notices == (), "before it is remembered it cannot be told"
        for _ in range(2):
            (notice,) = world.run().notices
            assert notice.where.startswith("web/memory@")
        world.places = ("the table a", "the table b")
        assert len(world.run().notices) == 1

    def test_a_target_that_claims_more_than_before_is_the_same_one(self, world: World) -> None:
        for places in (("a",), ("a", "b"), ("a", "b")):
            world.places = places
            assert world.run().notices == ()

    def test_another_run_at_work_is_left_alone(self, world: World) -> None:
        world.run()
        with Lock(world.state):
            with pytest.raises(Busy):
                world.run()
            assert world.run(dry_run=True).exit_code == 0


def test_history_keeps_what_changed_and_why(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    world.runs(4)
    with closing(sqlite3.connect(world.state)) as raw:
        changes = raw.execute("SELECT action, network, hosts, why FROM changes").fetchall()
        runs = raw.execute("SELECT count(*), max(exit_code) FROM runs").fetchone()
        answers = raw.execute(
            "SELECT summary FROM answers WHERE host = 'alice' ORDER BY id"
        ).fetchall()
    assert changes[4:] == [
        ("add", "81.2.69.77/32", "alice", "alice.example.org moved from 81.2.69.1"),
        ("remove", "81.2.69.1/32", "alice", "alice.example.org moved to 81.2.69.77"),
    ]
    assert runs == (5, 0)
    assert answers == [("found 81.2.69.1",), ("found 81.2.69.77",)]


class TestStanding:
    """What `status` finds out without asking or writing."""

    def test_after_a_run_everything_is_in_step(self, world: World) -> None:
        world.run()
        standing = world.look()
        (target,) = standing.targets
        assert (target.in_step, exit_code(standing)) == (True, 0)
        assert {one.hosts for one in target.entries} == {
            ("alice",),
            ("bob",),
            ("carol",),
            ("dave",),
        }
        assert {d.grants[0].basis for d in standing.decisions.values()} == {Basis.FRESH}

    def test_drift_is_out_of_step(self, world: World) -> None:
        world.run()
        world.plant("6.6.6.6")
        standing = world.look()
        (target,) = standing.targets
        assert (target.in_step, target.reason, exit_code(standing)) == (False, "1 to remove", 1)

    def test_old_knowledge_is_told(self, world: World) -> None:
        world.run()
        world.everybody(SERVFAIL)
        world.run()
        assert exit_code(world.look()) == 3

    def test_before_the_first_run_nothing_is_known(self, world: World) -> None:
        standing = world.look()
        assert (standing.last_run, exit_code(standing)) == (None, 3)
        assert not world.state.parent.exists()

    def test_a_damaged_state_is_said_and_left(self, world: World) -> None:
        world.run()
        world.state.write_bytes(b"garbage" * 4096)
        standing = world.look()
        assert str(world.state) in [one.where for one in standing.notices]
        assert world.state.read_bytes() == b"garbage" * 4096

    def test_damage_inside_is_said_too(self, world: World) -> None:
        world.run()
        with closing(sqlite3.connect(world.state)) as raw:
            raw.execute("DROP TABLE held")
            raw.commit()
        assert str(world.state) in [one.where for one in world.look().notices]
        with closing(sqlite3.connect(world.state)) as raw:
            raw.execute("ALTER TABLE entries RENAME TO held")
            raw.commit()
        assert world.look().notices

    def test_a_target_that_cannot_be_read_is_out_of_step(self, world: World) -> None:
        world.run()
        world.store.fail_read = "no privilege"
        (target,) = world.look().targets
        assert (target.in_step, target.entries) == (False, ())
        assert "no privilege" in target.reason
