"""What is blocked of a list: all of it that may be, and nothing else."""

from __future__ import annotations

import time
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.networks import span
from allowsync.model.spans import joined, subtracted
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import replace
from allowsync.policy.clock import Now
from allowsync.policy.decision import Decision
from allowsync.policy.denylist import (
    LARGEST_SHARE,
    NOTHING,
    SPECIAL,
    Blocked,
    NeverBlocked,
    blocked,
    common,
    networks_in,
    spans_of,
    too_wide,
    touches,
    unheard,
    united,
)
from tests.support.values import T0, host

if TYPE_CHECKING:
    from allowsync.model.types import Network
    from allowsync.policy.denylist import Spans


def nets(text: str) -> list[Network]:
    return [ip_network(one) for one in text.split()]


def never(text: str) -> list[NeverBlocked]:
    return [NeverBlocked(one, "a friend") for one in nets(text)]


def left(lists: str, spared: str = "") -> str:
    return " ".join(map(str, blocked(spans_of(nets(lists)), never(spared)).networks))


@pytest.mark.parametrize(
    ("lists", "spared", "expected"),
    [
        ("8.8.8.0/24", "", "8.8.8.0/24"),
        ("8.8.8.0/25 8.8.8.128/25", "", "8.8.8.0/24"),
        ("8.8.8.0/24 8.8.8.7", "", "8.8.8.0/24"),
        ("8.8.8.0/29", "8.8.8.0", "8.8.8.1/32 8.8.8.2/31 8.8.8.4/30"),
        ("8.8.8.0/29", "8.8.8.7", "8.8.8.0/30 8.8.8.4/31 8.8.8.6/32"),
        ("8.8.8.0/30", "8.8.8.1 8.8.8.2", "8.8.8.0/32 8.8.8.3/32"),
        ("8.8.8.0/30", "8.8.0.0/16", ""),
        ("8.8.8.8 8.8.8.10", "8.8.8.9", "8.8.8.8/32 8.8.8.10/32"),
        ("", "8.8.8.8", ""),
        ("2a00::/64", "2a00::/65", "2a00:0:0:0:8000::/65"),
        ("8.8.8.8 2a00::1", "2a00::/32", "8.8.8.8/32"),
        # Bogons: whatever is special is never blocked, nor what lies outside of 2000::/3.
        ("10.1.0.0/16 192.168.1.1 224.0.0.0/3 127.0.0.1 fe80::1 fc00::/8 ::1 4000::/3", "", ""),
        ("100.64.0.0/10 169.254.0.0/16 9.0.0.0/31", "", "9.0.0.0/31"),
        # No packet comes from documentation's, so that examples block them.
        ("203.0.113.0/24 2001:db8::/32", "203.0.113.128/25", "203.0.113.0/25 2001:db8::/32"),
    ],
)
def test_what_is_left(lists: str, spared: str, expected: str) -> None:
    assert left(lists, spared) == " ".join(map(str, nets(expected)))


def test_what_is_spared_is_told() -> None:
    found = blocked(spans_of(nets("8.8.8.0/24 10.0.0.0/9")), never("8.8.8.8 8.8.9.0/24 8.8.7.255"))
    assert [(str(one.network), one.why) for one in found.spared] == [
        ("10.0.0.0/8", SPECIAL),
        ("8.8.8.8/32", "a friend"),
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        *(("8.8.7.255", False), ("8.8.8.0", True), ("8.8.8.255", True), ("8.8.9.0", False)),
        *(("8.8.0.0/16", True), ("0.0.0.0/0", True), ("::/0", False)),
    ],
)
def test_whether_it_is_listed(asked: str, expected: bool) -> None:
    assert touches(spans_of(nets("8.8.8.0/24 9.9.9.9")), ip_network(asked)) is expected


def test_too_much_is_refused() -> None:
    share = LARGEST_SHARE
    for family, much in (("IPv4", (share + 0.001, share)), ("IPv6", (share, share + 0.001))):
        said = f"it would block 2.1% of all {family} addresses, and 2% is the most"
        assert Blocked(NOTHING, shares=much).refusal == said
    assert Blocked(NOTHING, shares=(share, share)).refusal == ""


def test_how_much_is_blocked_is_counted_after_the_subtraction() -> None:
    bogons = "10.0.0.0/8 240.0.0.0/4 2001::/23 2002::/16 4000::/16 fc00::/16"
    assert blocked(spans_of(nets(bogons)), ()).shares == (0, 0)
    some = blocked(spans_of(nets("8.0.0.0/8 2a00::/16")), never("8.0.0.0/9 2a00::/17"))
    assert some.shares == (1 / 512, 2**-14)


@pytest.mark.parametrize("text", ["7.0.0.0/7", "2000::/15"])
def test_wider_is_too_wide(text: str) -> None:
    wide = ip_network(text, strict=False)
    assert too_wide(wide)
    assert not any(map(too_wide, wide.subnets()))


def test_lists_together() -> None:
    assert united([spans_of(nets("8.8.8.0/25")), spans_of(nets("8.8.8.128/25 2a00::1"))]) == (
        spans_of(nets("8.8.8.0/24 2a00::1"))
    )
    assert united([]) == ([], [])


def test_what_lies_in_both() -> None:
    one, other = "8.8.8.0/24 9.9.9.9 2a00::/32", "8.8.8.128/25 8.8.9.0/24 2a00::1 2a01::"
    assert common(spans_of(nets(one)), spans_of(nets(other))) == spans_of(
        nets("8.8.8.128/25 2a00::1")
    )
    assert common(spans_of(nets(one)), NOTHING) == NOTHING


@pytest.mark.parametrize("kind", [IPv4Network, IPv6Network])
def test_the_ends_of_the_numbers(kind: type[Network]) -> None:
    everything = kind((0, 0))
    assert joined([span(everything), (0, 0)]) == [span(everything)]
    assert list(subtracted([span(everything)], [(0, 0)])) == [(1, span(everything)[1])]


def test_networks_that_touch_become_none_that_is_too_wide() -> None:
    wide = nets("8.0.0.0/8 9.0.0.0/8 2a00::/16 2a01::/16")
    assert list(blocked(spans_of(wide), ()).networks) == wide


def test_networks_from_the_very_first_number_on() -> None:
    assert list(networks_in([(0, 4)], Family.IPV4)) == nets("0.0.0.0/30 0.0.0.4")
    assert list(networks_in([(0, (1 << 128) - 1)], Family.IPV6)) == nets("::/0")


POOL = [*ip_network("8.8.8.0/26"), *ip_network("2a00::/122")]
SMALL = st.builds(
    lambda one, width: ip_network((one, one.max_prefixlen - width), strict=False),
    st.sampled_from(POOL),
    st.integers(0, 5),
)
SEVERAL = st.lists(SMALL, max_size=12)


@given(SEVERAL, SEVERAL)
def test_it_is_exact(lists: list[Network], spared: list[Network]) -> None:
    """Address by address, and with no more networks than it takes."""
    found = blocked(spans_of(lists), [NeverBlocked(one, "") for one in spared])
    for address in POOL:
        listed = any(address in one for one in lists)
        meant = listed and not any(address in one for one in spared)
        assert any(address in one for one in found.networks) is meant
    for version in (4, 6):
        mine = [one for one in found.networks if one.version == version]
        assert mine == list(collapse_addresses(mine))  # type: ignore[type-var]
    touched = [one for one in spared if any(one.overlaps(each) for each in lists)]
    assert [one.network for one in found.spared] == touched


@given(SEVERAL)
def test_intervals_are_sorted_and_apart(several: list[Network]) -> None:
    for spans in spans_of(several):
        assert all(one[1] + 1 < other[0] for one, other in pairwise(spans))


def test_fifty_thousand_networks_take_no_time() -> None:
    lists: Spans = ([((1 << 24) + 9 * n, (1 << 24) + 9 * n + 6) for n in range(50_000)], [])
    spared = [NeverBlocked(IPv4Network((1 << 24) + 90 * n), "") for n in range(1000)]
    began = time.process_time()
    found = blocked(lists, spared)
    assert time.process_time() - began < 5
    assert len(found.spared) == 1000
    assert len(found.networks) > 100_000


@pytest.mark.parametrize(
    ("runs", "passed", "sources", "expected"),
    [
        (2, timedelta(days=3), (), None),
        (1, timedelta(days=3), (), ", for 0 s more at most"),
        (2, timedelta(days=3, seconds=-1), (), ", for 1 s more at most"),
        (9, timedelta(0), (), ", for 3 d more at most"),
        (9, timedelta(days=99), ("lists.office",), ""),
    ],
)
def test_a_host_is_waited_for_as_long_as_its_address_would_stay(
    runs: int, passed: timedelta, sources: tuple[str, ...], expected: str | None
) -> None:
    alice = replace(host("alice"), sources=sources)
    tracks = dict.fromkeys(alice.queries, RetentionState(unavailable_runs=runs))
    decision = Decision(alice, memory=HostMemory(tracks), undecided=True)
    said = unheard(decision, T0, Now(T0 + passed))
    if expected is None:
        assert not said
    else:
        assert said == (
            f"nothing is added while the addresses of alice are unknown{expected}; "
            "'allowsync revoke alice' ends that"
        )


def test_no_host_is_waited_for_of_which_something_is_known() -> None:
    assert not unheard(Decision(host("alice")), T0, Now(T0))


def test_a_family_that_is_known_to_have_no_address_is_not_waited_for() -> None:
    alice = host("alice", families=BOTH_FAMILIES)
    silent = RetentionState(unavailable_runs=2)
    absent = RetentionState(absent_since=T0, absent_runs=1)
    for other, is_waited_for in ((absent, False), (RetentionState(unavailable_runs=1), True)):
        tracks = dict(zip(alice.queries, (silent, other), strict=True))
        decision = Decision(alice, memory=HostMemory(tracks), undecided=True)
        assert bool(unheard(decision, T0, Now(T0 + timedelta(days=3)))) is is_waited_for


def test_a_question_that_was_not_asked_lets_no_time_run_out() -> None:
    decision = Decision(host("alice"), undecided=True)
    assert ", for 0 s more at most" in unheard(decision, T0, Now(T0 + timedelta(days=9)))
