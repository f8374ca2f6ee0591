"""The targets on the page: their states and entries, and the remains of former ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import short
from allowsync.report.denylists import spared_lines
from allowsync.report.html_markup import Html, cell, head, joined, row, table, tag, time
from allowsync.text import counted

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.inspect.block_status import BlockStatus
    from allowsync.inspect.status import AccessStatus, TargetStatus
    from allowsync.model.types import Entry


def targets(standing: AccessStatus) -> Html:
    """Each target's entries, with the time they were verified."""
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


def denied(standing: AccessStatus) -> Html:
    """The targets of denylists: numbers of blocked networks, and listed ones never blocked."""
    if not standing.blocked:
        return joined()
    rows = [
        row(
            head(one.target),
            _blocking(one, standing.now),
            cell(joined([tag("div", text, class_="net") for text in spared_lines(one.spared)])),
        )
        for one in standing.blocked
    ]
    headings = ("Target", "State", "Listed, and not blocked")
    return tag("section", tag("h2", "Denylists"), table("What is blocked", headings, rows))


def _blocking(one: BlockStatus, now: datetime) -> Html:
    if not one.readable:
        return cell(tag("div", f"failed: {one.reason}", class_="bad"))
    count = counted(len(one.held), "network blocked", "networks blocked")
    said = f"{one.state} ({count})" + (f": {one.reason}" if one.reason else "")
    verified = tag("div", "verified ", time(now), class_="soft")
    return cell(tag("div", said, class_="good" if one.in_step else "bad"), verified)


def left_over(standing: AccessStatus) -> Html:
    """Targets that are no longer configured."""
    if not standing.leftovers:
        return joined()
    rows = [
        row(
            head(one.name),
            cell(one.effect.value, style="bad" if one.effect.code else "warn"),
        )
        for one in standing.leftovers
    ]
    return tag(
        "section", tag("h2", "Leftovers"), table("No longer configured", ("Target", "State"), rows)
    )
