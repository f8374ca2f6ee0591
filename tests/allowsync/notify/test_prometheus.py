"""Metrics: what they say of a run, read by the parser of Prometheus' own client."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from allowsync import __version__
from allowsync.model.fleet import FleetReport, SharedList
from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.outcome import Notice, Outcome
from allowsync.model.plan import Plan
from allowsync.model.types import Basis, Family, Grant, Limits, Query
from allowsync.model.value import replace
from allowsync.notify.prometheus import Gauge, gauges, text
from allowsync.plan.result import BlockReport, RunReport, TargetReport
from allowsync.policy.decision import Decision
from tests.support.values import GONE, HOME, SERVFAIL, T0, entry, found, host, net
from tests.support.world import World

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

HOUR = timedelta(hours=1)
Samples = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, limits=Limits(max_remove_hosts=1))


def read(report: RunReport, last_good: datetime | None = None) -> Samples:
    """Every sample by name and values of its labels, as Prometheus reads them."""
    families = text_string_to_metric_families(
        text(gauges(report, report.exit_code, last_good or report.started))
    )
    samples: Samples = {}
    for family in families:
        assert family.name.startswith("allowsync_")
        assert family.type == "gauge"
        assert family.documentation
        for one in family.samples:
            samples.setdefault(one.name, {})[tuple(one.labels.values())] = one.value
    return {name.removeprefix("allowsync_"): values for name, values in samples.items()}


def test_a_good_run_tells_when_it_was_and_that_all_is_in_step(world: World) -> None:
    report = world.run()
    samples = read(report)
    now = report.started.timestamp()
    assert samples["info"] == {(__version__,): 1}
    assert samples["last_run_timestamp_seconds"] == {(): now}
    assert samples["last_success_timestamp_seconds"] == {(): now}
    assert samples["last_run_exit_code"] == {(): 0}
    assert samples["target_in_step"] == {("web", "web/memory"): 1}
    assert samples["target_entries"] == {("web", "web/memory"): 4}
    assert samples["target_refused_removals"] == {("web", "web/memory"): 0}
    assert samples["host_last_answer_timestamp_seconds"] == {(name,): now for name in world.hosts}
    assert samples["host_grants"]["alice", "fresh"] == 1
    assert samples["host_grants"]["alice", "stale"] == 0
    assert "host_access_ends_timestamp_seconds" not in samples


def test_a_silent_name_shows_its_last_answer_and_when_access_ends(world: World) -> None:
    good = world.run().started
    world.says["alice.example.org"] = SERVFAIL
    samples = read(world.run(after=HOUR))
    assert samples["host_last_answer_timestamp_seconds"]["alice",] == good.timestamp()
    ends = good + timedelta(days=3)
    assert samples["host_access_ends_timestamp_seconds"] == {("alice",): ends.timestamp()}
    assert (samples["host_grants"]["alice", "stale"], samples["last_run_exit_code"][()]) == (1, 3)


def test_a_replaced_address_is_no_end_of_access(world: World) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    samples = read(world.run())
    assert samples["host_grants"]["alice", "replaced"] == 1
    assert "host_access_ends_timestamp_seconds" not in samples


def test_what_is_not_believed_is_counted(world: World) -> None:
    world.run()
    world.says["bob.example.org"] = found("127.0.0.1")
    samples = read(world.run())["host_suspicious_addresses"]
    assert samples == {("alice",): 0, ("bob",): 1, ("carol",): 0, ("dave",): 0}


def test_a_host_of_whom_nothing_is_known_is_undecided(world: World) -> None:
    world.says["bob.example.org"] = SERVFAIL
    samples = read(world.run())
    assert samples["host_undecided"]["bob",] == 1
    assert ("bob",) not in samples["host_last_answer_timestamp_seconds"]


def test_a_target_that_fails_is_out_of_step_and_what_it_holds_not_known(world: World) -> None:
    good = world.run().started
    world.store.fail_read = "boom"
    report = world.run()
    samples = read(report, good)
    assert samples["target_in_step"] == {("web", "web/memory"): 0}
    assert "target_entries" not in samples
    assert samples["last_run_exit_code"] == {(): 1}
    assert samples["last_success_timestamp_seconds"] == {(): good.timestamp()}


def test_a_refused_removal_is_counted(world: World) -> None:
    world.limits = Limits(max_remove_hosts=0.25)
    world.run()
    world.says["alice.example.org"] = world.says["bob.example.org"] = GONE
    samples = read(world.runs(14))
    assert samples["target_refused_removals"] == {("web", "web/memory"): 2}
    assert samples["target_withheld_entries"] == {("web", "web/memory"): 2}
    assert samples["target_in_step"] == {("web", "web/memory"): 0}


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", "ä{}=,", "#"])
def test_a_label_is_read_as_it_was_written(value: str) -> None:
    gauge = Gauge("x", "Help.", (((("host", value),), 1.5),))
    (family,) = text_string_to_metric_families(text([gauge]))
    assert family.samples[0].labels == {"host": value}
    assert family.samples[0].value == 1.5


def test_before_the_first_good_run_there_is_no_last_success(world: World) -> None:
    report = world.run()
    assert "last_success" not in text(gauges(report, report.exit_code, None))


def test_a_gauge_without_samples_is_left_out() -> None:
    assert text([Gauge("x", "Help.", ())]) == "\n"


def report(*decisions: Decision, targets: tuple[TargetReport, ...] = ()) -> RunReport:
    named = {one.host.name: one for one in decisions}
    return RunReport(T0, 0.25, False, False, named, targets, (Notice("clock", "jumped"),))


def test_a_run_tells_how_long_it_took_and_how_many_problems_there_are() -> None:
    samples = read(report())
    assert samples["last_run_duration_seconds"] == {(): 0.25}
    assert samples["last_run_problems"] == {(): 1}


def test_the_latest_answer_of_several_names_counts() -> None:
    heard = (T0 - HOUR, None, T0 - 2 * HOUR)
    tracks = {
        Query(f"{number}.example.org", Family.IPV4): RetentionState(last_found=at)
        for number, at in enumerate(heard)
    }
    samples = read(report(Decision(host(), memory=HostMemory(tracks))))
    latest = (T0 - HOUR).timestamp()
    assert samples["host_last_answer_timestamp_seconds"] == {("alice",): latest}


def test_the_first_end_of_several_counts() -> None:
    ends = (None, T0 + 2 * HOUR, T0 + HOUR)
    grants = tuple(Grant("alice", net(HOME), Basis.STALE, T0, T0, at) for at in ends)
    samples = read(report(Decision(host(), grants=grants)))
    first = (T0 + HOUR).timestamp()
    assert samples["host_access_ends_timestamp_seconds"] == {("alice",): first}


@pytest.mark.parametrize(
    ("outcome", "entries"),
    [
        (Outcome.UNCHANGED, 1), (Outcome.APPLIED, 1), (Outcome.REFUSED, 1),
        (Outcome.UNKNOWN, None), (Outcome.FAILED, None),
    ],
)  # fmt: skip
def test_what_a_target_holds_is_told_where_it_is_known(
    outcome: Outcome, entries: int | None
) -> None:
    planned = Plan("web/file", add=(entry(HOME),))
    targets = (TargetReport("web/file", "web", outcome, planned),)
    found = read(report(targets=targets)).get("target_entries", {})
    assert found.get(("web", "web/file")) == entries
    unplanned = (TargetReport("web/file", "web", outcome),)
    assert "target_entries" not in read(report(targets=unplanned))


def test_a_target_that_cannot_hold_somebody_is_not_in_step() -> None:
    targets = tuple(
        TargetReport(name, "web", Outcome.UNCHANGED, unfit=unfit)
        for name, unfit in (("web/a", (entry(HOME),)), ("web/b", ()))
    )
    samples = read(report(targets=targets))["target_in_step"]
    assert samples == {("web", "web/a"): 0, ("web", "web/b"): 1}


def test_what_denylists_block_is_counted_apart() -> None:
    held = Plan("scanners/wall", keep=(entry("8.8.8.0/24"), entry("9.9.9.9")))
    targets = (
        TargetReport("scanners/wall", "scanners", Outcome.UNCHANGED, held),
        TargetReport("scanners/fence", "scanners", Outcome.FAILED),
    )
    blocked = tuple(map(BlockReport, targets))
    samples = read(
        RunReport(T0, 0.0, dry_run=False, offline=False, decisions={}, targets=(), blocked=blocked)
    )
    wall, fence = ("scanners", "scanners/wall"), ("scanners", "scanners/fence")
    assert samples["denylist_in_step"] == {wall: 1, fence: 0}
    assert samples["denylist_networks"] == {wall: 2}
    assert "target_in_step" not in samples


def test_a_fleet_tells_who_leads_and_how_old_each_list_is(world: World) -> None:
    report = world.run()
    lists = (
        SharedList("web", publishes=True, epoch=1, sequence=7, decided=report.started),
        SharedList("ssh", publishes=False, trouble="the store holds no document for it"),
    )
    samples = read(replace(report, fleet=FleetReport("home", leads=True, leader="", lists=lists)))
    assert samples["fleet_leads"] == {("home",): 1}
    assert samples["fleet_list_sequence"] == {("home", "web"): 7}
    assert samples["fleet_list_decided_timestamp_seconds"] == {
        ("home", "web"): report.started.timestamp()
    }
    assert samples["fleet_list_silent"] == {("home", "web"): 0, ("home", "ssh"): 1}
    assert not any(name.startswith("fleet") for name in read(report))
