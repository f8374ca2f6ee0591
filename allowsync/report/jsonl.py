"""A run as JSON Lines, one for each change or problem, for programs that keep logs.

Every line has `time` (ISO 8601, UTC), `level` (info, warning or error) and `event`. Field names are
stable; more may be added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.plan.reasons import Reasons
from allowsync.report.json import instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.plan import Plan
    from allowsync.model.types import Entry
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.text import Line

Json = dict[str, Any]


def change_records(report: RunReport) -> Iterator[Json]:
    """Entries added and removed, and flaws repaired; in a dry run, those planned."""
    reasons = Reasons(report.decisions, report.started)
    for target in report.targets:
        yield from (_record(report, "info", *one) for one in _changes(target, reasons))
    for blocked in report.blocked:
        plan = blocked.report.plan
        if plan is not None and not plan.idle:
            yield _record(report, "info", "block", _block(blocked.report, plan))


def problem_records(report: RunReport, lines: Iterable[Line]) -> Iterator[Json]:
    """Warnings and errors in the words of the text output."""
    for line in lines:
        level = "error" if line.colour == "red" else "warning"
        yield _record(report, level, "problem", {"what": line.text})


def _record(report: RunReport, level: str, event: str, fields: Json) -> Json:
    start = {"time": instant(report.started), "level": level, "event": event}
    return {**start, **({"dry_run": True} if report.dry_run else {}), **fields}


def _changes(target: TargetReport, reasons: Reasons) -> Iterator[tuple[str, Json]]:
    plan = target.plan
    if plan is None:
        return
    for flaw in plan.repair:
        yield "repair", {"target": target.target, "what": flaw}
    for entry in plan.add:
        why = reasons.added(entry) or reasons.kept(entry)
        yield "add", _entry(target, entry, why)
    for entry in plan.remove:
        yield "remove", _entry(target, entry, reasons.removed(entry, plan))


def _block(target: TargetReport, plan: Plan) -> Json:
    """The changes of a denylist's target: counted, since there are thousands."""
    return {
        "target": target.target,
        "outcome": target.outcome.value,
        "added": len(plan.add),
        "removed": len(plan.remove),
        "networks": len(plan.final),
        "repair": list(plan.repair),
    }


def _entry(target: TargetReport, entry: Entry, why: str) -> Json:
    return {
        "target": target.target,
        "outcome": target.outcome.value,
        "network": str(entry.network),
        "hosts": list(entry.hosts),
        "why": why or None,
    }
