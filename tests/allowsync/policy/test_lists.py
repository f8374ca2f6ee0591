"""What is believed of a list, and for how long; ranges of addresses."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.list_source import ListFormat, ListSource
from allowsync.policy.list_formats import ListContent, entry, read_list_content
from allowsync.policy.lists import (
    LONGEST_RETRY,
    RETRY,
    cidrs,
    is_old,
    is_over,
    needs_force,
    next_try,
    ranges,
    refusal,
    special,
    spelt,
    without,
)
from tests.support.values import T0

if TYPE_CHECKING:
    from allowsync.policy.list_formats import Entry
    from allowsync.policy.lists import Ranges

FETCHED = ListSource(url="https://lists.example.net/drop.txt")
WRITTEN = ListSource(file=Path("/etc/allowsync/office.txt"))
HOUR = timedelta(hours=1)


def content(*networks: str) -> ListContent:
    return read_list_content("\n".join(networks).encode(), ListFormat.TEXT, None)


def addresses(count: int) -> ListContent:
    """So many addresses, none beside another."""
    return content(*(f"81.2.{one // 100}.{one % 100 * 2}" for one in range(count)))


def said(given: ListContent, before: int = 0, *, force: bool = False) -> str:
    return refusal(given, FETCHED, before, force=force)


REFUSED = {
    "nothing": (content("# nothing"), "it is empty"),
    "no network at all": (content("a", "b"), "no line is a network; the first is 'a'"),
    "too much beside networks": (content(*["81.2.69.1"] * 8, "x"), "1 of 9 lines are no networks"),
    "fewer than it promises": (ListContent((), 8, promised=9), "declares 9 networks"),
    "too many": (ListContent((), 50_001), "50,001 networks, more than 50,000"),
    "everything": (content("0.0.0.0/0"), "0.0.0.0/0 is wider than a /8"),
    "half of everything": (content("128.0.0.0/1"), "128.0.0.0/1 is wider"),
    "wide": (content("80.0.0.0/7"), "80.0.0.0/7 is wider"),
    "all of IPv6": (content("::/0"), "::/0 is wider than a /16"),
    "wide for IPv6": (content("2a00::/15"), "2a00::/15 is wider than a /16"),
}


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED)
def test_what_is_not_plausible_is_refused(written: tuple[ListContent, str]) -> None:
    given, why = written
    assert why in said(given)
    assert why in said(given, force=True)


def test_bogons_are_no_reason_to_refuse() -> None:
    bogons = ("0.0.0.0/8", "10.0.0.0/7", "224.0.0.0/3", "::/8", "fc00::/7", "80.0.0.0/8")
    assert said(content(*bogons)) == ""


def test_nine_lines_in_ten_are_enough() -> None:
    assert said(content(*["81.2.69.1"] * 9, "x")) == ""


@pytest.mark.parametrize(("before", "now"), [(10, 5), (10, 30), (1, 3), (1, 1), (0, 40)])
def test_a_list_may_change(before: int, now: int) -> None:
    assert said(addresses(now), before) == ""


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (10, 4, "it has 4 networks, less than half its former number (10)"),
        (10, 31, "it has 31 networks, more than 3 times its former number (10)"),
        (1, 4, "more than 3 times"),
    ],
)
def test_a_list_that_was_halved_or_tripled_needs_force(before: int, now: int, why: str) -> None:
    assert why in said(addresses(now), before)
    assert said(addresses(now), before).endswith("; 'allowsync apply --force' accepts it")
    assert said(addresses(now), before, force=True) == ""


def test_networks_are_counted_put_together() -> None:
    whole = content(*(f"81.2.69.{one}" for one in range(256)))
    assert said(whole, 1) == ""


def test_what_was_rejected_is_looked_at_again_with_force() -> None:
    assert needs_force("rejected: it is empty")
    assert not needs_force("no answer")


def test_a_list_is_old_at_three_times_its_span_and_over_at_its_end() -> None:
    assert not is_old(FETCHED, T0, T0 + 36 * HOUR)
    assert is_old(FETCHED, T0, T0 + 37 * HOUR)
    assert not is_over(FETCHED, T0, T0 + timedelta(days=14))
    assert is_over(FETCHED, T0, T0 + timedelta(days=15))


def test_a_file_is_never_old_unless_it_is_said_how_often_it_is_written() -> None:
    ever = T0 + timedelta(days=9999)
    assert not is_old(WRITTEN, T0, ever)
    assert not is_over(WRITTEN, T0, ever)
    daily = ListSource(file=WRITTEN.file, refresh=timedelta(days=1))
    assert is_old(daily, T0, ever)
    assert is_over(daily, T0, ever)


def test_what_never_came_is_not_old() -> None:
    assert not is_old(FETCHED, None, T0)
    assert not is_over(FETCHED, None, T0)


def test_failures_are_an_hour_apart_and_then_more() -> None:
    assert next_try(FETCHED, T0, 0) == T0 + 12 * HOUR
    spans = [next_try(FETCHED, T0, failures) - T0 for failures in (1, 2, 3, 5, 99)]
    assert spans == [RETRY, 2 * HOUR, 4 * HOUR, 16 * HOUR, LONGEST_RETRY]
    assert next_try(WRITTEN, T0, 0) == T0 + RETRY


# Ranges, against sets of numbers: the last eight bits of either family.

_PARTS = st.lists(
    st.tuples(st.sampled_from([4, 6]), st.integers(0, 255), st.integers(0, 8)), max_size=12
)


def entries_of(parts: list[tuple[int, int, int]]) -> list[Entry]:
    bits = {4: 32, 6: 128}
    return [(version, at >> far << far, bits[version] - far) for version, at, far in parts]


def numbers(held: Ranges) -> set[tuple[int, int]]:
    return {(version, one) for version, spans in held.items() for first, last in spans
            for one in range(first, last + 1)}  # fmt: skip


def covered(entries: list[Entry]) -> set[tuple[int, int]]:
    bits = {4: 32, 6: 128}
    return {(version, one) for version, first, width in entries
            for one in range(first, first + (1 << (bits[version] - width)))}  # fmt: skip


@given(_PARTS, _PARTS)
def test_ranges_are_sets_of_addresses(
    some: list[tuple[int, int, int]], others: list[tuple[int, int, int]]
) -> None:
    one, other = entries_of(some), entries_of(others)
    held, taken = ranges(one), ranges(other)
    assert numbers(held) == covered(one)
    left = without(held, taken)
    assert numbers(left) == covered(one) - covered(other)
    again = [(version, *pair) for version, pairs in cidrs(left).items() for pair in pairs]
    assert covered(again) == numbers(left)
    assert ranges(again) == left
    for spans in held.values():
        assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(spans))


def test_the_whole_of_a_family_is_one_network() -> None:
    assert cidrs(ranges([(4, 0, 1), (4, 1 << 31, 1), (6, 0, 0)])) == {4: [(0, 0)], 6: [(0, 0)]}


def test_special_blocks_hold_what_is_never_routed() -> None:
    for text in ("10.0.0.0/8", "224.0.0.0/3", "fc00::/7", "2001:db8::/32", "::1"):
        found = entry(text)
        assert found is not None
        assert not any(without(ranges([found]), special()).values()), spelt(found)
