"""Outcomes, exit codes and notices of a run."""

from __future__ import annotations

from enum import Enum, IntEnum

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Outcome(Enum):
    """How one target came out of a run."""

    UNCHANGED = "unchanged"
    PLANNED = "planned"
    APPLIED = "applied"
    REFUSED = "refused"  # additions were applied, removals were not
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may hold old or new entries
    UNRECORDED = "unrecorded"  # enforced as meant, but the state could not be written


# What a target was changed in as meant, as far as that was let.
DONE = (Outcome.APPLIED, Outcome.REFUSED, Outcome.UNRECORDED)
# What a run has to be looked at for.
WRONG = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNRECORDED)


class ExitCode(IntEnum):
    """What the process ends with."""

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
    """The exit code that tells the worst of several."""
    return min((*codes, ExitCode.IN_STEP), key=WORST_FIRST.index)


class Notice(Value):
    """A warning about a run: where, what is known about it, and what that makes of the run."""

    where: str
    what: str
    code: ExitCode = ExitCode.IN_STEP
