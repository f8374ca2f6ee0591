"""What a run did, as values: the report makes text and JSON of them, the CLI the exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.backend import Current
    from allowsync.decide import Decision
    from allowsync.limits import Refusal
    from allowsync.memory import Inherited
    from allowsync.model import Entry
    from allowsync.plan import Plan


class Outcome(Enum):
    """How one target came out of a run."""

    UNCHANGED = "unchanged"
    PLANNED = "planned"
    APPLIED = "applied"
    REFUSED = "refused"  # additions were applied, removals were not
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may hold old or new entries


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


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a run that somebody should know: where, and what is known about it."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target in a run.

    Attributes:
        target: Its full name.
        allowlist: The allowlist enforced there.
        outcome: How it came out.
        plan: What was planned; None when the target could not be read.
        current: What it held before; None when it could not be read.
        refusal: What a limit refused.
        unfit: What is wanted but cannot be held there.
        inherited: What was found there unexplained, as remembered from now on.
        reason: Why it failed or is not known, or an empty string.
    """

    target: str
    allowlist: str
    outcome: Outcome
    plan: Plan | None = None
    current: Current | None = None
    refusal: Refusal | None = None
    unfit: tuple[Entry, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    reason: str = ""

    @property
    def said(self) -> str:
        """Everything that is wrong with the target, in words; empty when nothing is."""
        unfit = ", ".join(str(entry.network) for entry in self.unfit)
        parts = (
            self.reason,
            "" if self.refusal is None else self.refusal.said,
            f"cannot hold {unfit}" if unfit else "",
        )
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run.

    Attributes:
        started: Its instant, in UTC.
        seconds: How long it took.
        dry_run: Whether nothing was written.
        offline: Whether the DNS was not asked.
        decisions: Each host of the run by name, in configured order.
        targets: Each target of the run, in configured order.
        notices: What somebody should know beside that.
    """

    started: datetime
    seconds: float
    dry_run: bool
    offline: bool
    decisions: Mapping[str, Decision]
    targets: tuple[TargetReport, ...]
    notices: tuple[Notice, ...] = field(default=())

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with, `CHANGES` left aside."""
        return worst((*map(_code, self.targets), self._knowledge))

    @property
    def has_changes(self) -> bool:
        """Whether a target was, or would be, changed."""
        return any(one.plan is not None and not one.plan.idle for one in self.targets)

    @property
    def _knowledge(self) -> ExitCode:
        """Asking for no DNS and having none is no lack of answers; knowing nothing at all is."""
        lacking = (
            one.undecided or (one.rests_on_old_knowledge and not self.offline)
            for one in self.decisions.values()
        )
        return ExitCode.OLD_KNOWLEDGE if any(lacking) else ExitCode.IN_STEP


def _code(report: TargetReport) -> ExitCode:
    if report.outcome in (Outcome.FAILED, Outcome.UNKNOWN) or report.unfit:
        return ExitCode.FAILED
    return ExitCode.REFUSED if report.refusal is not None else ExitCode.IN_STEP
