"""How long a piece of work may take."""

from __future__ import annotations

import pytest
from allowsync_backends.cloudflare.time_budget import Budget, PollClock

from tests.support.cloudflare_client import Hours


def test_a_budget_is_spent_by_time_that_passes(hours: Hours) -> None:
    budget = Budget.of(hours.clock, 10)
    assert (budget.spent, budget.left) == (0, 10)
    hours.at += 4
    assert (budget.spent, budget.left) == (4, 6)
    hours.at += 400
    assert budget.left == 0


@pytest.mark.parametrize(("wanted", "given"), [(3, 3), (6, 6), (100, 6)])
def test_a_part_is_never_more_than_what_is_left(hours: Hours, wanted: float, given: float) -> None:
    budget = Budget.of(hours.clock, 10)
    hours.at += 4
    part = budget.at_most(wanted)
    assert (part.spent, part.left) == (0, given)
    hours.at += given
    assert part.left == 0


def test_the_usual_clock_only_goes_forward() -> None:
    clock = PollClock()
    before = clock.now()
    clock.sleep(0)
    assert clock.now() >= before


def test_a_clock_that_is_looked_at_moves_on_only_if_told_to() -> None:
    assert Hours().clock.now() == Hours().clock.now()
    ticking = Hours(a_look=2).clock
    assert ticking.now() + 2 == ticking.now()
