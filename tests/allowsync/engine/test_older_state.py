"""A state that does not know the last run: a backup was put back, or it is gone."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.engine.clear import clear_all, everything
from allowsync.model.answer import Unavailable
from allowsync.model.outcome import Outcome
from allowsync.model.types import Host
from allowsync.state import Store
from allowsync.state.files import last_run_marks, take_mark
from allowsync.testing.memory import MemoryStore, memory_type
from tests.support.values import found, host, net
from tests.support.world import World, allowlist, only_target

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)
SILENT = Unavailable("SERVFAIL")
NEW = "81.2.69.77"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Alice moved after the backup that is put back, and her former address has gone since."""
    world = World(tmp_path)
    world.runs(2)
    backup = world.state.read_bytes()
    world.says["alice.example.org"] = found(NEW)
    world.runs(5)
    assert "81.2.69.1" not in world.held
    world.state.write_bytes(backup)
    return world


def test_who_moved_since_stays_in_while_the_dns_is_silent(world: World) -> None:
    before = world.held
    world.everybody(SILENT)
    (notice,) = world.run().notices
    assert "is an older one" in notice.what
    assert not world.run().notices  # it knows that run
    world.runs(10)
    assert before <= world.held


def test_after_a_restart_a_list_that_outlasts_it_keeps_who_moved_since(world: World) -> None:
    before = world.held
    restarted(world)
    world.everybody(SILENT)
    (notice,) = world.run(offline=True).notices
    assert "is an older one" in notice.what
    world.runs(10)
    assert before <= world.held
    assert "81.2.69.1" not in world.held


@pytest.mark.parametrize("answers", [True, False])
def test_an_address_that_was_left_since_is_not_let_in_again(world: World, answers: bool) -> None:
    if not answers:
        world.everybody(SILENT)
    world.run()
    assert "81.2.69.1" not in world.held
    assert NEW in world.held


def test_where_the_firewall_was_flushed_what_it_knows_is_let_in(world: World) -> None:
    world.store.networks.clear()
    world.everybody(SILENT)
    world.run()
    assert "81.2.69.1" in world.held


def test_entries_of_unknown_origin_get_their_time_anew(tmp_path: Path) -> None:
    """A later run, which the state does not know, may have known whose they were."""
    world = World(tmp_path)
    world.run()
    shutil.rmtree(world.state.parent)
    world.everybody(SILENT)
    world.runs(6, after=timedelta(days=0.9))
    backup = world.state.read_bytes()
    world.says["alice.example.org"] = found("81.2.69.1")
    world.run()
    world.state.write_bytes(backup)
    world.everybody(SILENT)
    world.run()
    world.hosts["guest"] = Host("guest", networks=(net(NEW),))
    world.runs(2)
    assert {"81.2.69.1", NEW} <= world.held


def test_who_moved_since_and_is_silent_alone_stays_in_as_in_an_outage(world: World) -> None:
    world.says["alice.example.org"] = SILENT
    report = world.runs(20)
    assert NEW in world.held
    assert (report.decisions["alice"].undecided, report.exit_code) == (True, 3)


def test_what_only_the_firewall_knew_comes_back_with_a_gate_that_is_gone(world: World) -> None:
    world.everybody(SILENT)
    world.run()
    before = world.held
    world.store.networks.clear()
    world.store.flaws = ["the gate is gone"]
    world.run(offline=True)
    assert world.held == before
    world.store.networks.discard(net(NEW))
    world.run()
    assert world.held == before - {NEW}


def test_what_only_the_firewall_knows_goes_by_the_clocks_once_all_names_answer(
    world: World,
) -> None:
    world.everybody(SILENT)
    world.run()
    world.says = {f"{one}.example.org": found(f"81.2.69.{n}") for n, one in enumerate(world.hosts)}
    world.run()
    assert NEW in world.held
    world.runs(5)
    assert NEW not in world.held


def test_while_a_target_cannot_be_read_what_only_another_one_knows_goes_by_the_clocks(
    world: World,
) -> None:
    other = MemoryStore(networks={net(NEW)})
    world.extra = (allowlist("other", ("bob",), memory_type(other)),)
    other.fail_read = "boom"
    world.everybody(SILENT)
    (notice,) = world.run().notices
    assert "is an older one" in notice.what
    world.says = {f"{one}.example.org": found(f"81.2.69.{n}") for n, one in enumerate(world.hosts)}
    assert not world.run().notices
    assert NEW in world.held
    world.runs(5)
    assert NEW not in world.held
    other.fail_read = ""
    world.run()
    assert net(NEW) in other.networks  # of this one nothing is known yet
    world.runs(5)
    assert net(NEW) not in other.networks


def test_a_run_for_another_list_does_not_pass_for_having_looked(world: World) -> None:
    world.everybody(SILENT)
    world.run("another")
    world.run()
    assert NEW in world.held


def test_the_time_that_an_older_state_knows_nothing_of_ends_no_access(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.hosts["alice"] = host("alice", keep_unavailable=timedelta(hours=6))
    world.run()
    backup = world.state.read_bytes()
    world.runs(4, after=timedelta(hours=2))
    world.state.write_bytes(backup)
    world.everybody(SILENT)
    before = world.held
    world.runs(10)
    assert world.held == before


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("anew", [True, False])
def test_a_clock_that_went_back_lets_in_no_guest_whose_end_the_state_did_not_see(
    tmp_path: Path, kept: bool, anew: bool
) -> None:
    world = World(tmp_path)
    world.run()
    world.hosts["guest"] = Host("guest", networks=(net(NEW),), until=world.instant + HOUR)
    world.run()
    backup = world.state.read_bytes()
    world.run(after=2 * HOUR)
    world.run(after=-1.9 * HOUR)  # it went back before the state was lost, or a backup put back
    if kept:
        world.state.write_bytes(backup)
    else:
        world.state.unlink()
    if anew:
        restarted(world)
        world.store.networks.clear()
    world.run()
    assert NEW not in world.held


def test_where_the_state_is_gone_a_gate_that_was_flushed_lets_no_stranger_in(world: World) -> None:
    shutil.rmtree(world.state.parent)
    world.store.networks.clear()
    world.store.flaws = ["the gate is gone"]
    world.everybody(SILENT)
    report = world.run()
    assert "is gone" in report.notices[0].what
    assert only_target(report).closed
    assert not world.store.flaws


def test_where_the_state_is_gone_a_gate_that_could_not_be_read_is_lost_until_it_is(
    world: World,
) -> None:
    shutil.rmtree(world.state.parent)
    world.store.networks.clear()
    world.store.flaws = ["the gate is gone"]
    world.everybody(SILENT)
    world.store.fail_read = "boom"
    assert only_target(world.runs(2)).current is None
    world.store.fail_read = ""
    assert only_target(world.run()).closed
    assert not world.store.flaws
    assert not world.run().notices


def test_after_a_clear_of_all_a_state_that_is_gone_is_none_that_was_lost(world: World) -> None:
    with Store.writing(world.state) as store:
        clear_all(everything(world.config, store), store, world.instant, world.config.path)
    shutil.rmtree(world.state.parent)
    world.store.flaws = ["there is no gate"]
    world.everybody(SILENT)
    report = world.run()
    assert (report.notices, only_target(report).outcome) == ((), Outcome.FAILED)


def restarted(world: World) -> None:
    """The machine starts anew: what was noted in /run is gone."""
    take_mark(last_run_marks(world.state)[1])
