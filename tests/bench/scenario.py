"""What a scenario is: sides that are run in turn, and goals for what comes out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from shutil import which
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

OURS = "allowsync"


class Figure(Enum):
    """What one run of a side gives: seconds, bytes, or a count. Shown as `scale` times that."""

    WALL = ("wall time", "ms", 1e3)
    PROCESSOR = ("processor time", "ms", 1e3)
    MEMORY = ("peak memory", "MiB", 2.0**-20)
    PACKET = ("per packet", "us", 1e6)
    WRONG = ("wrong answers", "", 1.0)
    READS = ("nft calls that read", "", 1.0)
    WRITES = ("nft calls that write", "", 1.0)

    def __init__(self, title: str, unit: str, scale: float) -> None:
        self.title = title
        self.unit = unit
        self.scale = scale

    @property
    def counted(self) -> bool:
        """Whether it is a count, of which the worst run tells, and not a cost that varies."""
        return not self.unit


Sample: TypeAlias = "Mapping[Figure, float]"
Side: TypeAlias = "Callable[[], Sample]"
Sides: TypeAlias = "Mapping[str, Side]"


class Comparison(Enum):
    """How a value must stand to its limit."""

    AT_MOST = "at most"
    LESS = "less than"
    AT_LEAST = "at least"

    def holds(self, value: float, limit: float) -> bool:
        """Whether a value is as good as its limit asks."""
        if self is Comparison.AT_MOST:
            return value <= limit
        return value < limit if self is Comparison.LESS else value >= limit


@dataclass(frozen=True, slots=True)
class Goal:
    """What is hoped for.

    Attributes:
        figure: What is looked at.
        comparison: How it must stand to `limit`.
        limit: Without `against` in the unit the figure is shown in, judged by the median, or by the
            worst run for a count. Else a ratio, judged by the median over the pairs: how many times
            what the other side takes ours takes, or with `AT_LEAST` how many times faster it is.
        against: The side to compare with; empty for an absolute goal.
        then: Whether it is the goal after the first one.
    """

    figure: Figure
    comparison: Comparison
    limit: float
    against: str = ""
    then: bool = False

    def __str__(self) -> str:
        limit = f"{self.comparison.value} {self.limit:g}"
        if not self.against:
            return f"{limit} {self.figure.unit}".rstrip()
        faster = " faster than" if self.comparison is Comparison.AT_LEAST else ""
        return f"{limit} x{faster} {self.against}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that is measured.

    Attributes:
        name: What `--only` selects it by; what stands before a hyphen is its group.
        title: One line for people.
        sides: Sets the stage, and gives the sides to run by their names, ours first.
        goals: What is hoped for.
        runs: How often each side is run.
        warmups: How often before that, for nothing.
        root: Whether it needs network namespaces of its own.
        programs: What must be installed.
        slow: Whether `--quick` leaves it out.
    """

    name: str
    title: str
    sides: Callable[[], AbstractContextManager[Sides]]
    goals: tuple[Goal, ...]
    runs: int = 5
    warmups: int = 1
    root: bool = False
    programs: tuple[str, ...] = ()
    slow: bool = False

    def belongs(self, name: str) -> bool:
        """Whether a name means this scenario, or a group it is of: `resolve` has `resolve-10`."""
        return f"{self.name}-".startswith(f"{name}-")

    def obstacle(self) -> str:
        """Why it cannot be run here, or an empty string."""
        if self.root and os.geteuid() != 0:
            return "needs root, for a network namespace of its own"
        missing = [one for one in self.programs if which(one) is None]
        return f"needs {' and '.join(missing)}" if missing else ""


def at_most(figure: Figure, limit: float, against: str = "", *, then: bool = False) -> Goal:
    """A goal with an upper bound."""
    return Goal(figure, Comparison.AT_MOST, limit, against, then)


def less(figure: Figure, limit: float, against: str = "", *, then: bool = False) -> Goal:
    """A goal with an upper bound that must not be reached."""
    return Goal(figure, Comparison.LESS, limit, against, then)


def at_least(figure: Figure, limit: float) -> Goal:
    """A goal with a lower bound, for what must not be saved."""
    return Goal(figure, Comparison.AT_LEAST, limit)


def faster(limit: float, against: str, *, then: bool = False) -> Goal:
    """Ours takes at most one part in `limit` of the other side's wall time."""
    return Goal(Figure.WALL, Comparison.AT_LEAST, limit, against, then)
