"""What nobody confirmed waits: such a target loses nobody until somebody says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.config.settings import Allowlist, Target
from allowsync.engine.options import Request
from allowsync.engine.rollback.snapshot import (
    TargetSnapshot,
    copy_of,
    keep_state,
    put_back,
    recover,
)
from allowsync.engine.run import run
from allowsync.model.outcome import ExitCode, Outcome
from allowsync.state import Store
from allowsync.testing.memory import MemoryOptions, memory_type
from tests.support.values import FIVE_MINUTES, T0, found, host, net
from tests.support.world import FRIENDS, Dns, World, only_target

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.plan.result import RunReport

WEB = "web/memory"
ALL = {"81.2.69.1", "81.2.69.2", "81.2.69.3", "81.2.69.4"}


@dataclass
class Waiting(World):
    """A world whose one target can be built again from what is remembered of it."""

    configured: bool = False

    def allow(self, *members: str) -> None:
        target = Target(WEB, "web", memory_type(self.store), MemoryOptions(), {})
        self.extra = (Allowlist("web", members, (target,)),)

    def wait(self) -> None:
        with Store.writing(self.state) as store:
            store.set_unconfirmed([WEB], self.instant)

    @property
    def waits(self) -> bool:
        with Store.reading(self.state) as store:
            return WEB in store.unconfirmed()


@pytest.fixture
def world(tmp_path: Path) -> Waiting:
    world = Waiting(tmp_path)
    world.allow(*FRIENDS)
    return world


def outcome(report: RunReport) -> tuple[Outcome, ExitCode]:
    return only_target(report).outcome, report.exit_code


def test_it_loses_nobody_and_lets_in_who_is_new(world: Waiting) -> None:
    world.run()
    world.wait()
    world.allow("alice", "bob")
    world.says["alice.example.org"] = found("81.2.69.11")
    assert outcome(world.run()) == (Outcome.REFUSED, ExitCode.REFUSED)
    assert world.held == ALL | {"81.2.69.11"}
    assert world.waits


def test_a_dry_run_says_the_same(world: Waiting) -> None:
    world.run()
    world.wait()
    world.allow("alice")
    report = world.run(dry_run=True)
    assert report.exit_code is ExitCode.REFUSED
    assert "was not confirmed; " in only_target(report).said


def test_force_applies_it_and_ends_the_wait(world: Waiting) -> None:
    world.run()
    world.wait()
    world.allow("alice")
    assert outcome(world.run(force=True)) == (Outcome.APPLIED, ExitCode.IN_STEP)
    assert world.held == {"81.2.69.1"}
    assert not world.waits


def test_a_run_that_asks_applies_it_and_leaves_the_end_of_the_wait_to_the_answer(
    world: Waiting,
) -> None:
    world.run()
    world.wait()
    world.allow("alice", "bob")
    world.instant += FIVE_MINUTES
    run(world.config, Request(confirming=True), Dns(world), world.instant)
    assert world.held == {"81.2.69.1", "81.2.69.2"}
    assert world.waits


def test_once_nothing_is_to_be_taken_away_the_wait_is_over(world: Waiting) -> None:
    world.run()
    world.wait()
    world.says["alice.example.org"] = found("81.2.69.11")
    assert outcome(world.run()) == (Outcome.APPLIED, ExitCode.IN_STEP)
    assert not world.waits


def test_nothing_extends_until(world: Waiting) -> None:
    world.run()
    world.wait()
    world.change("bob", until=world.instant + timedelta(minutes=1))
    world.allow("alice", "bob", "carol")
    world.run()
    assert world.held == ALL - {"81.2.69.2"}


def test_a_target_that_was_not_there_before_is_left_alone(world: Waiting) -> None:
    Store.writing(world.state).close()
    world.wait()
    report = world.run()
    assert outcome(report) == (Outcome.FAILED, ExitCode.FAILED)
    assert "skipped" in only_target(report).said
    assert world.held == set()


def test_the_status_names_what_waits(world: Waiting) -> None:
    world.run()
    assert world.look().notices == ()
    world.wait()
    (notice,) = world.look().notices
    assert notice.where == WEB
    assert "was not confirmed; " in notice.what


def test_clearing_a_target_ends_its_wait(world: Waiting) -> None:
    world.run()
    world.wait()
    with Store.writing(world.state) as store:
        store.forget_target(WEB, T0)
    assert not world.waits


def test_a_state_that_was_kept_is_gone_by_once_nobody_watches_any_more(world: Waiting) -> None:
    world.run()
    keep_state(world.state)
    world.wait()
    world.allow("alice")
    world.run(force=True)
    assert not copy_of(world.state).exists(), "the next run has gone by it"
    keep_state(world.state)
    world.wait()
    recover(world.state)
    assert world.waits
    assert not copy_of(world.state).exists()


def test_the_copy_of_the_state_is_for_its_owner_alone(world: Waiting) -> None:
    world.run()
    assert keep_state(world.state).stat().st_mode & 0o777 == 0o600
    assert copy_of(world.state).read_bytes() == world.state.read_bytes()


def test_one_target_that_cannot_be_put_back_stops_no_other() -> None:
    seen: list[str] = []

    def raises(error: Exception) -> bool:
        raise error

    def good() -> bool:
        seen.append("good")
        return True

    first, second, third = put_back(
        [
            TargetSnapshot("a", lambda: raises(BackendError("it is gone"))),
            TargetSnapshot("b", lambda: raises(KeyError("x"))),
            TargetSnapshot("c", good),
        ]
    )
    assert (first.reason, seen) == ("it is gone", ["good"])
    assert second.reason == "unexpected KeyError: 'x'"
    assert (third.differed, third.reason) == (True, "")


def test_a_guest_whose_time_is_over_goes_while_a_friend_within_his_network_stays(
    world: Waiting,
) -> None:
    wide, bob = net("81.2.69.0/24"), net("81.2.69.2")
    until = T0 + timedelta(minutes=8)
    world.hosts["guests"] = host("guests", hostnames=(), networks=(wide,), until=until)
    world.allow("bob", "guests")
    world.run()
    assert world.store.networks == {wide}
    world.allow("guests")
    world.wait()
    world.runs(2)
    assert (world.store.networks, world.waits) == ({bob}, True)
