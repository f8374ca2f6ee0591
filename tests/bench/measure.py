"""Running a scenario's sides in turn, and judging what came out."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench.scenario import OURS, Comparison

if TYPE_CHECKING:
    from tests.bench.scenario import Figure, Goal, Sample, Scenario


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was reached, in the goal's own unit."""

    goal: Goal
    value: float

    @property
    def met(self) -> bool:
        return self.goal.comparison.holds(self.value, self.goal.limit)


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario gave.

    Attributes:
        samples: Per side, one sample a round; equal places belong together.
        skipped: Why it was not run.
        broken: What went wrong.
    """

    scenario: Scenario
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    skipped: str = ""
    broken: str = ""

    def values(self, side: str, figure: Figure) -> list[float]:
        """What one side gave, round by round; empty where it has no such figure."""
        return [sample[figure] for sample in self.samples[side] if figure in sample]

    def figures(self, side: str) -> tuple[Figure, ...]:
        """What one side has figures of."""
        return tuple(self.samples[side][0])

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every goal, judged. None where nothing was measured."""
        if not self.samples:
            return ()
        return tuple(Verdict(goal, self._reached(goal)) for goal in self.scenario.goals)

    def _reached(self, goal: Goal) -> float:
        ours = self.values(OURS, goal.figure)
        if not goal.against:
            return _telling(goal, ours) * goal.figure.scale
        pairs = zip(ours, self.values(goal.against, goal.figure), strict=True)
        if goal.comparison is Comparison.AT_LEAST:
            return statistics.median(theirs / mine for mine, theirs in pairs)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def _telling(goal: Goal, ours: list[float]) -> float:
    """The run that decides: the middle one, and of a count the worst one."""
    if not goal.figure.counted:
        return statistics.median(ours)
    return min(ours) if goal.comparison is Comparison.AT_LEAST else max(ours)


def measure(scenario: Scenario, runs: int = 0) -> Result:
    """Run the sides in turn, as often as asked, after a few rounds for nothing.

    Args:
        scenario: What to run.
        runs: How many rounds; 0 for as many as the scenario thinks right.

    Raises:
        ValueError: A goal names a side there is not.
    """
    if obstacle := scenario.obstacle():
        return Result(scenario, skipped=obstacle)
    with scenario.sides() as sides:
        if strangers := {goal.against for goal in scenario.goals} - {"", *sides}:
            raise ValueError(f"goals against what is not run: {', '.join(sorted(strangers))}")
        for _ in range(scenario.warmups):
            for side in sides.values():
                side()
        samples: dict[str, list[Sample]] = {name: [] for name in sides}
        for _ in range(runs or scenario.runs):
            for name, side in sides.items():
                samples[name].append(side())
    return Result(scenario, samples)
