"""The targets on the page: how each stands, what it holds, and what is left of former ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import short
from allowsync.report.html_markup import Html, cell, head, joined, row, table, tag, time
from allowsync.text import counted

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.inspect.status import AccessStatus, TargetStatus
    from allowsync.model.types import Entry


def targets(standing: AccessStatus) -> Html:
    """What each target holds, and when that was verified."""
    rows = [
        row(head(one.target), _step(one, standing.now), cell(_entries(one)))
        for one in standing.targets
    ]
    return tag(
        "section",
        tag("h2", "Targets"),
        table("What each target holds", ("Target", "State", "Entries"), rows),
    )


def _entries(target: TargetStatus) -> Html:
    lines = [tag("div", _entry(entry), class_="net") for entry in target.entries]
    return joined(lines or "none")


def _entry(entry: Entry) -> str:
    return short(entry.network) + (f" {', '.join(entry.hosts)}" if entry.hosts else "")


def _step(target: TargetStatus, now: datetime) -> Html:
    failing = joined()
    if target.failing is not None:
        failing = tag("div", "failing since ", time(target.failing), class_="soft")
    if not target.readable:
        return cell(tag("div", f"failed: {target.trouble}", class_="bad"), failing)
    count = counted(len(target.entries), "entry", "entries")
    verified = tag("div", "verified ", time(now), class_="soft")
    if target.well:
        return cell(tag("div", f"in sync ({count})", class_="good"), verified)
    what = f"{target.state} ({count}): {target.trouble}"
    return cell(tag("div", what, class_="bad"), failing, verified)


def left_over(standing: AccessStatus) -> Html:
    """Targets that are no longer configured."""
    if not standing.leftovers:
        return joined()
    rows = [
        row(
            head(one.name),
            cell(
                "drops what comes from elsewhere" if one.drops else "still enforced",
                style="bad" if one.drops else "warn",
            ),
        )
        for one in standing.leftovers
    ]
    return tag(
        "section", tag("h2", "Leftovers"), table("No longer configured", ("Target", "State"), rows)
    )
