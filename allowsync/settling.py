"""What is remembered of a run: what its targets hold, and what was changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.memory import TargetMemory
from allowsync.outcome import Outcome
from allowsync.state import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.outcome import TargetReport
    from allowsync.plan import Plan
    from allowsync.reasons import Reasons


def settled(
    reports: Iterable[TargetReport], reasons: Reasons
) -> tuple[list[tuple[str, TargetMemory]], list[Change], list[str]]:
    """What to remember once everything was applied.

    Returns:
        What the targets hold, what was changed, and the names of those targets of which this tells
        all. One that failed may have been changed in part: the next look at it shows that.
    """
    contents: list[tuple[str, TargetMemory]] = []
    changes: list[Change] = []
    told: list[str] = []
    for report in reports:
        plan = report.plan
        if plan is None or report.outcome is Outcome.FAILED:
            continue
        told.append(report.target)
        confirmed = report.outcome is not Outcome.UNKNOWN
        if confirmed and not plan.idle:
            entries = tuple(entry for entry in plan.final if entry.hosts)
            contents.append((report.target, TargetMemory(entries, report.inherited)))
        changes += changes_of(plan, reasons, confirmed=confirmed)
    return contents, changes, told


def changes_of(plan: Plan, reasons: Reasons, *, confirmed: bool = True) -> list[Change]:
    """What a plan changes, and why."""
    return [
        *(Change(plan.target, "add", entry, reasons.added(entry), confirmed) for entry in plan.add),
        *(
            Change(plan.target, "remove", entry, reasons.removed(entry, plan), confirmed)
            for entry in plan.remove
        ),
    ]
