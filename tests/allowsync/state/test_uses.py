"""When hosts last sent a packet: what is written down of what targets tell."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.model.memory import TargetMemory
from allowsync.model.target import Traffic
from allowsync.state import RunRecord, Store, TargetRecord
from allowsync.state.access_log import holders, used
from tests.support.values import T0, entry, net

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

WEB = "web/nftables"
HOME, HOME6, WIDE = "81.2.69.1", "2a02:8109:9a40::/56", "203.0.113.0/24"
ENTRIES = (entry(HOME, "alice"), entry(HOME6, "alice"), entry(WIDE, "bob", "carol"))
HOUR = timedelta(hours=1)
Seen = dict[str, "datetime"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def ages(**of: int) -> Traffic:
    sources = {"home": HOME, "home6": "2a02:8109:9a40:7::/64", "wide": "203.0.113.9"}
    return Traffic(ages={net(sources[name]): age for name, age in of.items()})


def counts(**of: int) -> Traffic:
    return Traffic(counts={net({"home": HOME, "wide": WIDE}[one]): n for one, n in of.items()})


def run(path: Path, at: datetime, traffic: Traffic | None, **more: Any) -> None:
    keep: dict[str, Any] = {
        "hosts": {},
        "configured": frozenset({"alice", "bob", "carol"}),
        "targets": ((TargetRecord(WEB, "web", "nftables"), TargetMemory(ENTRIES)),),
        "found": {WEB: frozenset()},
        "traffic": {} if traffic is None else {WEB: traffic},
    }
    with Store.writing(path) as store:
        store.intend(RunRecord(at, offline=False, **{**keep, **more}))


def seen(path: Path) -> dict[str, tuple[datetime, datetime | None]]:
    with Store.reading(path) as store:
        return store.uses(WEB)[0]


def test_hosts_are_those_whose_networks_hold_the_source() -> None:
    assert used(ENTRIES, ages(home6=60), {}, T0) == {"alice": T0 - timedelta(minutes=1)}
    assert used(ENTRIES, ages(home=9, home6=2), {}, T0) == {"alice": T0 - timedelta(seconds=2)}
    assert used(ENTRIES, ages(wide=0), {}, T0) == {"bob": T0, "carol": T0}
    assert used(ENTRIES, Traffic(ages={net("9.9.9.9"): 1}), {}, T0) == {}
    assert used(ENTRIES, Traffic(), {}, T0) == {}


def test_hosts_within_one_network_of_ipv6_are_not_told_apart() -> None:
    whose = holders((entry("2a01::1", "alice"), entry("2a01::2", "bob"), entry("2a01::/32")))
    assert whose(net("2a01::/64")) == whose(net("2a01::2")) == {"alice", "bob"}
    assert whose(net("2a01:0:0:1::/64")) == set()
    assert holders(())(net(HOME)) == set()


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [(0, 0, False), (0, 1, True), (7, 7, False), (7, 8, True), (7, 3, True), (7, 0, False)],
)
def test_a_count_that_is_another_has_seen_a_packet(
    path: Path, before: int, now: int, moved: bool
) -> None:
    run(path, T0, counts(home=before, wide=0))
    first = seen(path)["alice"]
    assert first == (T0, T0 if before else None)
    run(path, T0 + HOUR, counts(home=now, wide=0))
    since = T0 if now >= before else T0 + HOUR  # what came before it began anew is lost
    assert seen(path)["alice"] == (since, T0 + HOUR if moved else first[1])
    assert seen(path)["bob"] == (since, None)


def test_never_begins_anew_where_what_remembers_was_gone(path: Path) -> None:
    run(path, T0, ages(home=0))
    run(path, T0 + HOUR, Traffic(anew=True))
    assert seen(path) == {
        "alice": (T0 + HOUR, T0),
        "bob": (T0 + HOUR, None),
        "carol": (T0 + HOUR, None),
    }


@pytest.mark.parametrize(("days", "since"), [(6, T0), (8, T0 + timedelta(days=8))])
def test_never_begins_anew_where_a_packet_may_be_forgotten_by_now(
    path: Path, days: int, since: datetime
) -> None:
    """Nothing ran for longer than a packet filter remembers."""
    week = Traffic(remembers=7 * 86400)
    run(path, T0, week)
    run(path, T0 + timedelta(days=days), week)
    assert seen(path)["bob"] == (since, None)
    run(path, T0 + timedelta(days=days, minutes=5), week)
    assert seen(path)["bob"] == (since, None)


def test_a_count_that_began_anew_is_compared_with_what_it_is_then(path: Path) -> None:
    for number, count in enumerate((500, 0, 3, 3)):
        run(path, T0 + number * HOUR, counts(home=count))
    assert seen(path)["alice"] == (T0 + HOUR, T0 + 2 * HOUR)


def test_a_row_is_written_where_something_moved(path: Path) -> None:
    run(path, T0, ages(home=0))
    for later in (300, 301, 302):
        run(path, T0 + timedelta(seconds=301), ages(home=later))
    assert seen(path)["alice"] == (T0, T0)
    run(path, T0 + HOUR, ages())
    assert seen(path)["alice"] == (T0, T0)
    run(path, T0 + HOUR, ages(home=60))
    assert seen(path)["alice"] == (T0, T0 + HOUR - timedelta(minutes=1))


def test_never_begins_anew_where_counting_ended_meanwhile(path: Path) -> None:
    run(path, T0, ages(home=0))
    run(path, T0 + HOUR, None)
    assert seen(path) == {"alice": (T0, T0)}
    run(path, T0 + 2 * HOUR, ages())
    assert seen(path)["bob"] == (T0 + 2 * HOUR, None)


def test_it_goes_with_a_label_and_ends_with_a_host(path: Path) -> None:
    run(path, T0, ages(home=0))
    entries = tuple(entry(str(one.network), "alix", "bob") for one in ENTRIES)
    target = ((TargetRecord(WEB, "web", "nftables"), TargetMemory(entries)),)
    hosts = frozenset({"alix", "bob"})
    run(path, T0 + HOUR, ages(), renamed={"alice": "alix"}, configured=hosts, targets=target)
    assert seen(path).keys() >= {"alix", "bob"}
    assert seen(path)["alix"] == (T0, T0)
    with Store.writing(path) as store:
        store.forget_target(WEB, T0 + HOUR)
    assert seen(path) == {}
