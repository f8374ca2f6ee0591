"""Whether the wall clock can be believed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.model.memory import Clock, judge_clock
from tests.support.values import T0


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        (timedelta(minutes=5), Clock.STEADY),
        (timedelta(0), Clock.STEADY),
        (timedelta(days=1), Clock.STEADY),
        (timedelta(days=1, seconds=1), Clock.JUMPED),
        (timedelta(seconds=-1), Clock.BACKWARDS),
    ],
)
def test_a_clock_that_went_backwards_or_far_ahead_is_not_believed(
    passed: timedelta, expected: Clock
) -> None:
    assert judge_clock(T0, T0 + passed) is expected


def test_the_first_run_has_nothing_to_compare_its_clock_with() -> None:
    assert judge_clock(None, T0) is Clock.STEADY
