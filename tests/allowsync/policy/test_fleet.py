"""Hosts that another machine decides about: its word stands, and silence is no answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.types import Basis, Family, Host, Query
from allowsync.model.value import replace
from allowsync.policy.clock import Now
from allowsync.policy.fleet import follow, known_of

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
QUERY = Query("alice.example.org", Family.IPV4)
ALICE = Host("alice", (QUERY.hostname,), (ip_network("81.2.70.0/24"),), (Family.IPV4,))
HELD = HeldAddress(ip_address("81.2.69.1"), NOON, NOON)
KNOWN = HostMemory({QUERY: RetentionState((HELD,), NOON)})


def at(**since: float) -> Now:
    return Now(NOON + timedelta(**since))


def granted(host: Host, memory: HostMemory, trouble: str, now: Now) -> dict[str, Basis]:
    return {str(one.network): one.basis for one in follow(host, memory, trouble, now).grants}


def test_what_was_decided_stands_without_a_clock_of_its_own() -> None:
    both = {"81.2.69.1/32": Basis.FRESH, "81.2.70.0/24": Basis.FIXED}
    assert granted(ALICE, KNOWN, "", at(hours=1)) == both
    assert granted(ALICE, KNOWN, "", at(days=30)) == both


def test_silence_ends_access_by_the_clock_of_what_was_confirmed_last() -> None:
    memory, trouble = KNOWN, "the store is down"
    for days in (1, 2, 2.9):
        decision = follow(ALICE, memory, trouble, at(days=days))
        memory = decision.memory
        assert {str(one.network) for one in decision.grants} == {"81.2.69.1/32", "81.2.70.0/24"}
        assert decision.grants[0].why == f"fleet: {trouble}"
    assert granted(ALICE, memory, trouble, at(days=3)) == {"81.2.70.0/24": Basis.FIXED}


def test_one_run_after_long_silence_ends_nothing() -> None:
    assert "81.2.69.1/32" in granted(ALICE, KNOWN, "the store is down", at(days=9))


def test_until_comes_on_time_while_cut_off() -> None:
    host = replace(ALICE, until=NOON + timedelta(hours=1))
    assert len(granted(host, KNOWN, "the store is down", at(minutes=59))) == 2
    assert granted(host, KNOWN, "the store is down", at(minutes=60)) == {}
    assert granted(host, KNOWN, "", at(minutes=60)) == {}


def test_what_is_said_now_counts_before_what_is_remembered() -> None:
    later = HostMemory({QUERY: RetentionState((HELD,), NOON + timedelta(hours=1))})
    assert known_of(ALICE, KNOWN, later, at(hours=2), fresh=True) is KNOWN


def test_without_news_the_later_of_both_counts() -> None:
    later = HostMemory({QUERY: RetentionState((HELD,), NOON + timedelta(hours=1))})
    assert known_of(ALICE, KNOWN, later, at(hours=2), fresh=False) is later
    assert known_of(ALICE, KNOWN, KNOWN, at(hours=2), fresh=False) is KNOWN
    assert known_of(ALICE, later, KNOWN, at(hours=2), fresh=False) == later
    assert known_of(ALICE, KNOWN, None, at(hours=2), fresh=False) == KNOWN


def test_nothing_begins_with_what_is_over_by_now() -> None:
    (track,) = known_of(ALICE, KNOWN, None, at(days=3), fresh=False).tracks.values()
    assert track.held == ()
