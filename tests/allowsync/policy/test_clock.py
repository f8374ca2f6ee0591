"""How much time passed, by clocks that may be wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.clock import Chronology, Clock, Gap, Pulse
from allowsync.policy.clock import Now, at_rest, read, remembered
from tests.support.values import FIVE_MINUTES, T0

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        (timedelta(minutes=5), Clock.STEADY),
        (timedelta(0), Clock.STEADY),
        (timedelta(days=1), Clock.STEADY),
        (timedelta(days=1, hours=1), Clock.JUMPED),
        (timedelta(seconds=-1), Clock.BACKWARDS),
    ],
)
def test_a_clock_that_went_backwards_or_far_ahead_is_not_believed(
    passed: timedelta, expected: Clock
) -> None:
    assert read(Chronology(Pulse(T0)), Pulse(T0 + passed)).clock is expected


def test_the_first_run_has_nothing_to_compare_its_clock_with() -> None:
    assert read(Chronology(), Pulse(T0)).clock is Clock.STEADY


@pytest.mark.parametrize(
    ("wall", "uptime", "expected"),
    [
        (FIVE_MINUTES, FIVE_MINUTES, Clock.STEADY),
        (FIVE_MINUTES, 2 * FIVE_MINUTES, Clock.STEADY),
        (timedelta(hours=3), FIVE_MINUTES, Clock.JUMPED),
    ],
)
def test_within_a_boot_the_uptime_tells_how_much_time_passed(
    wall: timedelta, uptime: timedelta, expected: Clock
) -> None:
    known = Chronology(Pulse(T0, "boot", DAY))
    now = read(known, Pulse(T0 + wall, "boot", DAY + uptime))
    assert now.clock is expected
    assert now.passed(T0) == min(wall, uptime)


def test_after_another_boot_the_uptime_says_nothing() -> None:
    now = read(Chronology(Pulse(T0, "boot", DAY)), Pulse(T0 + FIVE_MINUTES, "other", FIVE_MINUTES))
    assert (now.clock, now.passed(T0)) == (Clock.STEADY, FIVE_MINUTES)


@pytest.mark.parametrize(("ahead", "counts"), [(1.5, 1), (2, 1), (2.1, 0), (10, 0)])
def test_what_a_clock_was_ahead_never_counts_as_time(ahead: float, counts: int) -> None:
    known = Chronology(Pulse(T0))
    for minutes in (0, 5, 10, 15):
        pulse = Pulse(T0 + ahead * DAY + timedelta(minutes=minutes))
        now = read(known, pulse)
        known = remembered(now, pulse)
    assert now.clock is Clock.STEADY
    assert now.passed(T0) == counts * DAY + timedelta(minutes=15)
    assert now.passed(T0 + ahead * DAY) == timedelta(minutes=15)


def test_a_clock_that_is_put_right_again_takes_its_gap_along() -> None:
    for days, counts in ((2, FIVE_MINUTES), (10, timedelta(0))):
        ahead = Pulse(T0 + days * DAY)
        known = remembered(read(Chronology(Pulse(T0)), ahead), ahead)
        back = read(known, Pulse(T0 + FIVE_MINUTES))
        assert (back.clock, back.passed(T0)) == (Clock.BACKWARDS, counts)
        after = read(remembered(back, Pulse(T0 + FIVE_MINUTES)), Pulse(T0 + 2 * FIVE_MINUTES))
        assert (after.clock, after.passed(T0)) == (Clock.STEADY, counts + FIVE_MINUTES)


def test_a_clock_that_is_put_back_in_part_counts_no_more_than_passed() -> None:
    known = Chronology(Pulse(T0, "boot", DAY))
    walls = (10 * DAY, 5 * DAY, 5 * DAY + FIVE_MINUTES, 2 * DAY, 2 * DAY + FIVE_MINUTES)
    for number, wall in enumerate(walls, 1):
        pulse = Pulse(T0 + wall, "boot", DAY + number * FIVE_MINUTES)
        now = read(known, pulse)
        known = remembered(now, pulse)
        assert timedelta(0) <= now.passed(T0) <= number * FIVE_MINUTES
    assert now.clock is Clock.STEADY
    assert at_rest(known, pulse.wall).passed(T0) == now.passed(T0)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(-20, 20)), min_size=1, max_size=12))
def test_no_course_of_the_wall_clock_makes_more_time_than_passed(
    steps: list[tuple[int, int]],
) -> None:
    """Stamps are those of the run before, and what lies in the future becomes now."""
    known, uptime, wall = Chronology(), timedelta(0), T0
    stamps: list[tuple[datetime, timedelta]] = []
    for minutes, days in steps:
        uptime += timedelta(minutes=minutes)
        wall += timedelta(minutes=minutes, days=days)
        pulse = Pulse(wall, "boot", uptime)
        now = read(known, pulse)
        known = remembered(now, pulse)
        stamps = [(min(stamp, wall), when) for stamp, when in stamps]
        for stamp, when in stamps:
            assert now.passed(stamp) <= uptime - when
        stamps.append((wall, uptime))


def test_an_instant_that_came_once_has_come() -> None:
    pulse = Pulse(T0 + DAY)
    known = remembered(read(Chronology(Pulse(T0)), pulse), pulse)
    behind = read(known, Pulse(T0))
    assert behind.reaches(T0 + DAY)
    assert not behind.reaches(T0 + 2 * DAY)


def test_a_gap_before_a_span_is_none_of_it() -> None:
    now = Now(T0 + DAY, gaps=(Gap(T0, DAY),))
    assert (now.passed(T0), now.passed(T0 - DAY)) == (DAY, DAY)


def test_time_before_a_run_that_left_no_memory_counts_for_nothing_and_after_a_later_one_again() -> (
    None
):
    known = remembered(read(Chronology(), Pulse(T0)), Pulse(T0))
    forgotten, hour = T0 + timedelta(minutes=55), Pulse(T0 + timedelta(hours=1))
    first = read(known, hour, forgotten)
    assert (first.clock, first.passed(T0)) == (Clock.JUMPED, timedelta(0))
    later = read(remembered(first, hour), Pulse(hour.wall + FIVE_MINUTES), forgotten)
    assert (later.clock, later.passed(T0)) == (Clock.STEADY, FIVE_MINUTES)
