"""Outcomes, exit codes and notices of a run."""

from __future__ import annotations

from enum import Enum, IntEnum

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Outcome(Enum):
    """The outcome of a run for one target."""

    UNCHANGED = "unchanged"
    PLANNED = "planned"
    APPLIED = "applied"
    REFUSED = "refused"  # additions were applied, removals were not
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may hold old or new entries
    UNRECORDED = "unrecorded"  # enforced as meant, but the state could not be written


# Outcomes of a change as planned, within the limits.
DONE = (Outcome.APPLIED, Outcome.REFUSED, Outcome.UNRECORDED)
# Outcomes that need attention.
WRONG = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNRECORDED)


class ExitCode(IntEnum):
    """The exit code of the process."""

    IN_STEP = 0
    FAILED = 1
    USAGE = 2
    OLD_KNOWLEDGE = 3
    REFUSED = 4
    BUSY = 5
    CHANGES = 10


WORST_FIRST = (
    ExitCode.USAGE,
    ExitCode.BUSY,
    ExitCode.FAILED,
    ExitCode.REFUSED,
    ExitCode.OLD_KNOWLEDGE,
    ExitCode.CHANGES,
    ExitCode.IN_STEP,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The worst of several exit codes."""
    return min((*codes, ExitCode.IN_STEP), key=WORST_FIRST.index)


class Notice(Value):
    """A warning about a run: place, fact, and exit code."""

    where: str
    what: str
    code: ExitCode = ExitCode.IN_STEP
