"""A run and a status as text for people: sorted, stable, and silent without news.

Lines are (text, colour) pairs; the command line decides whether to use colours.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.model.networks import short
from allowsync.model.outcome import DONE, WRONG, ExitCode
from allowsync.model.types import Basis, Entry
from allowsync.plan.reasons import Reasons
from allowsync.text import Line, counted, end_of, said

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from allowsync.inspect.status import AccessStatus, TargetStatus
    from allowsync.model.plan import Plan
    from allowsync.model.types import Grant, Network
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.policy.decision import Decision
    from allowsync.state.records import RecordedRun


class _Row(NamedTuple):
    sign: str
    entry: Entry
    why: str


_TOGETHER: Final = "\N{NO-BREAK SPACE}"
_NUMBER: Final = re.compile(r"\b([0-9]+) (?=(ms|s|min|h|d)\b)")  # and its unit
COLOURS = {"+": "green", "-": "red", "!": "yellow"}


def run_lines(report: RunReport, *, every_target: bool) -> Iterator[Line]:
    """The changes of a run at each target.

    Args:
        report: The run.
        every_target: Whether to include targets in sync without news. A target without a plan has
            no lines here: `warnings` has the reason.
    """
    reasons = Reasons(report.decisions, report.started)
    for target in report.targets:
        yield from _target_lines(target, reasons, every_target=every_target, dry_run=report.dry_run)
    if report.blocked:
        from allowsync.report.denylists import block_lines

        yield from block_lines(report, every_target=every_target)


def change_lines(report: RunReport) -> Iterator[Line]:
    """The changes of a run at each target; unchanged entries are only counted."""
    reasons = Reasons(report.decisions, report.started)
    for target in report.targets:
        plan = target.plan
        if plan is not None and not plan.idle:
            rows = [*_changes(plan, reasons)]
            yield from _plan_lines(target.target, plan, rows, done=target.outcome in DONE)


def warnings(report: RunReport) -> Iterator[Line]:
    """The problems apart from the targets' entries, a line each, for standard error."""
    yield from notices(report)
    for decision in report.decisions.values():
        yield from (Line(text, "yellow") for text in _about_host(decision))
    for target in report.every_target:
        if target.said:
            colour = "red" if target.outcome in WRONG else "yellow"
            yield Line(f"{target.target}: {target.said}", colour)


def notices(report: RunReport) -> Iterator[Line]:
    """Warnings about the installation itself."""
    return (Line(f"{one.where}: {one.what}", "yellow") for one in report.notices)


def _about_host(decision: Decision) -> Iterator[str]:
    name = decision.host.name
    if decision.undecided:
        yield f"{name}: no answer yet: {_unheard(decision)}"
    elif not decision.ended:
        for source in decision.host.sources:
            yield f"{name}: the networks of {source} are not known yet"
    for judged in decision.judged:
        for one in judged.rejected:
            yield f"{name}: {judged.query.hostname}: {one.address} rejected: {one.reason}"


def _unheard(decision: Decision) -> str:
    reasons = {
        query.hostname: track.reason
        for query, track in decision.memory.tracks.items()
        if not track.known
    }
    reasons |= dict.fromkeys(decision.host.sources, "its networks are not known yet")
    return ", ".join(f"{hostname} ({why or 'not asked'})" for hostname, why in reasons.items())


def _target_lines(
    target: TargetReport, reasons: Reasons, *, every_target: bool, dry_run: bool
) -> Iterator[Line]:
    plan = target.plan
    if plan is None:
        return
    rows = [*_changes(plan, reasons), *_kept(plan, reasons, target.undecided)]
    if not rows and not plan.repair:
        if every_target:
            count = len(plan.final)
            entries = counted(count, "entry", "entries")
            yield Line(f"{target.target} is in sync ({entries}{_others(target)})")
        return
    done = not dry_run and target.outcome in DONE
    yield from _plan_lines(target.target, plan, rows, done=done)


def _others(target: TargetReport) -> str:
    """The count of others' networks at a target without ours: in sync, it may be empty."""
    others = target.current.others if target.current is not None else ()
    empty = target.plan is not None and not target.plan.final
    return f", {len(others)} of others" if others and empty else ""


def _plan_lines(name: str, plan: Plan, rows: list[_Row], *, done: bool) -> Iterator[Line]:
    yield Line(name)
    yield from (Line(f"  ~ {flaw}", "yellow") for flaw in plan.repair)
    yield from _table(rows)
    yield Line("  " + _summary(plan, rows, done=done))


def _changes(plan: Plan, reasons: Reasons) -> Iterator[_Row]:
    yield from (_Row("+", one, reasons.added(one) or reasons.kept(one)) for one in plan.add)
    yield from (_Row("-", entry, reasons.removed(entry, plan)) for entry in plan.remove)


def _kept(plan: Plan, reasons: Reasons, undecided: Collection[str]) -> Iterator[_Row]:
    for entry in plan.keep:
        why = reasons.kept(entry)
        if why:
            yield _Row("!", entry, why)
    yield from (_Row("!", entry, reasons.withheld(entry, undecided)) for entry in plan.withheld)


def _table(rows: list[_Row]) -> Iterator[Line]:
    width = max([22, *(len(short(row.entry.network)) for row in rows)])
    labels = max([7, *(len(_labels(row.entry)) for row in rows)])
    for row in rows:
        left = f"  {row.sign} {short(row.entry.network):<{width}} {_labels(row.entry):<{labels}}"
        yield Line(f"{left}  {row.why}".rstrip(), COLOURS[row.sign])


def _labels(entry: Entry) -> str:
    return ", ".join(entry.hosts) or "-"


def _summary(plan: Plan, rows: list[_Row], *, done: bool) -> str:
    retained = len(plan.withheld)
    kept = max(0, sum(row.sign == "!" for row in rows) - retained)
    unchanged = len(plan.keep) - kept
    removed, added = ("removed", "added") if done else ("to remove", "to add")
    parts = [] if plan.idle else [f"{len(plan.remove)} {removed}", f"{len(plan.add)} {added}"]
    parts.append(f"{unchanged} unchanged")
    if kept:
        parts.append(f"{kept} kept (DNS unconfirmed)")
    if retained:
        parts.append(f"{retained} retained")
    return ", ".join(parts)


def status_lines(standing: AccessStatus, *, seen: bool = False) -> Iterator[Line]:
    """The access of hosts: addresses, since when, until when, how fresh.

    Args:
        standing: The status.
        seen: Whether to include the time of each host's last packet.
    """
    for name, decision in standing.decisions.items():
        retained, unclear = standing.retained.get(name, ()), name in standing.unclear
        yield from _host_lines(decision, standing.now, retained, unclear=unclear)
        if seen:
            from allowsync.report.host_use import use_text

            text = use_text(standing.uses.get(name), standing.now)
            yield from map(Line, filled(text, "    ", "      "))
    for one in standing.revocations:
        if one.subject in standing.decisions:
            continue
        what = f"{one.subject}  revoked on {one.at:%Y-%m-%d %H:%M} UTC"
        yield Line(f"{what}; to allow it again: allowsync approve {one.subject}", "yellow")
    if standing.decisions:
        yield Line("")
    for target in standing.targets:
        yield from _standing_lines(target)
    if standing.blocked:
        from allowsync.report.denylists import status_lines as blocked_lines

        yield from blocked_lines(standing.blocked)
    yield from _run_lines(standing)


def status_warnings(standing: AccessStatus, *, beside: bool = False) -> Iterator[Line]:
    """The problems, the worst first, a line each, for standard error.

    The same problem of several, such as of all hosts while no nameserver answers, is one line.

    Args:
        standing: The status.
        beside: Whether `status_lines` are printed too, which show hosts with an old address.
    """
    from allowsync.inspect.status_problems import last_known, problems

    told = last_known(standing) if beside else ()
    same: dict[tuple[str, bool], list[str]] = {}
    for one in (one for one in problems(standing) if one not in told):
        same.setdefault((one.what, one.broken), []).append(one.where)
    for (what, broken), places in same.items():
        whole = [", ".join(places)] if len(places) > _ALONE else places
        for where in whole:
            yield Line(f"{where}: {what}", "red" if broken else "yellow")


_ALONE: Final = 3  # up to so many places of one problem have a line each


RESULTS: Final = {
    None: "not finished",
    ExitCode.IN_STEP: "in sync",
    ExitCode.FAILED: "failed",
    ExitCode.OLD_KNOWLEDGE: "in sync, DNS unconfirmed",
    ExitCode.REFUSED: "removal blocked by limits",
}


def _run_lines(standing: AccessStatus) -> Iterator[Line]:
    if standing.last_run is None:
        unread = "when the last run was is unknown: the state could not be read"
        yield Line(unread if standing.unread else "no run is on record")
    else:
        result = "" if standing.latest is None else f": {run_result(standing.latest)}"
        yield Line(f"last run {said(standing.now - standing.last_run)} ago{result}")
    schedule = standing.schedule
    if schedule is None:
        return
    if schedule.trouble:
        if not schedule.scheduler:  # else it is among the problems
            yield Line(schedule.trouble, "yellow")
    elif schedule.started:
        yield Line(f"a run is at work, or waits for the network, started by {schedule.scheduler}")
    elif schedule.next_run is None:
        yield Line(f"next run: by {schedule.scheduler}; when is unknown")
    else:
        yield Line(f"next run in {said(schedule.next_run - standing.now)}, by {schedule.scheduler}")


def run_result(run: RecordedRun) -> str:
    """The result of a run, in words."""
    code = None if run.exit_code is None else ExitCode(run.exit_code)
    return RESULTS.get(code, f"exit code {run.exit_code}")


def _host_lines(
    decision: Decision, now: datetime, retained: Sequence[Network], *, unclear: bool
) -> Iterator[Line]:
    from allowsync.inspect.status_problems import doubts, not_withdrawn, revoked_here

    host = decision.host
    names = ", ".join((*host.hostnames, *host.sources, *(name for name, _ in host.published)))
    until = "" if host.until is None else f"  until {end_of(host.until)}"
    yield from map(Line, filled(f"{names}{until}".lstrip(), f"{host.name}  ", "    "))
    if decision.ended:
        how = f"{decision.ending}; to allow it again: allowsync approve {host.name}"
        ending = "access has ended" if host.revoked is None else how
        yield Line(f"    {ending}", "yellow")
    elif not decision.grants and not retained and (revoked := revoked_here(decision)):
        yield from (Line(text, "yellow") for text in filled(revoked, "    ", "      "))
    elif not decision.grants and not retained:
        why = "no answer yet" if decision.undecided else "no address"
        yield Line(f"    {why}: {'access unknown' if unclear else 'no access'}", "yellow")
    yield from _published_lines(decision)
    others = [one for one in decision.grants if not is_published(one)]
    width = max((len(short(grant.network)) for grant in others), default=0)
    for grant in others:
        first = f"    {short(grant.network):<{width}}  "
        colour = "yellow" if grant.basis is Basis.STALE else ""
        for text in filled(_freshness(grant, now), first, " " * min(len(first), 24)):
            yield Line(text, colour)
    for network in retained:
        yield Line(f"    {short(network)}  retained: {not_withdrawn(decision)}", "yellow")
    for doubt in doubts(decision, now):
        yield from (Line(text, "yellow") for text in filled(doubt, "    ", "      "))


def _published_lines(decision: Decision) -> Iterator[Line]:
    """One line per source: it publishes many networks, and they need not be told apart."""
    since = {one.network: one.since for one in decision.grants if is_published(one)}
    for name, networks in decision.host.published:
        first = min((since[one] for one in networks if one in since), default=None)
        if first is not None:
            what = f"{counted(len(networks), 'network', 'networks')} published by {name}"
            yield Line(f"    {what}  fixed     since {first:%Y-%m-%d %H:%M} UTC")


def is_published(grant: Grant) -> bool:
    """Whether a source of networks gave the grant."""
    return grant.basis is Basis.FIXED and bool(grant.why)


def _freshness(grant: Grant, now: datetime) -> str:
    by_command = grant.basis is Basis.GRANTED
    parts = [f"{grant.basis.value:<8}  since {grant.since:%Y-%m-%d %H:%M} UTC"]
    if grant.basis is not Basis.FIXED and not by_command:
        parts.append(f"confirmed {said(now - grant.confirmed)} ago")
    if grant.why:
        parts.append(grant.why)
    if grant.ends is not None:
        parts.append(f"expires in {said(grant.ends - now)}")
    return ", ".join(parts)


def _standing_lines(target: TargetStatus) -> Iterator[Line]:
    """The status of a target; the reason is among the problems of `status_warnings`."""
    if not target.readable:
        what = f"{target.target} failed"
    else:
        entries = counted(len(target.entries), "entry", "entries")
        what = f"{target.target} is {target.state} ({entries})"
    yield Line(what, "" if target.well else "red")


def printable(text: str) -> str:
    """Text from outside without characters that control a terminal (control characters, ANSI)."""
    return "".join(char if char.isprintable() or char == " " else repr(char)[1:-1] for char in text)


def filled(text: str, first: str, rest: str, width: int | None = None) -> list[str]:
    """Text wrapped into lines of a width, with one prefix for the first and one for the others.

    Without a width, that of the terminal on standard output is used; a pipe gets one line. A word
    that is longer than a line stays whole: a split address cannot be copied.
    """
    from allowsync.system.terminal import columns

    if not (width := columns(sys.stdout) if width is None else width):
        return [f"{first}{printable(text)}".rstrip()]
    if len(rest) > width // 3:  # too little room would be left beside it
        rest = " " * 6
    from textwrap import wrap

    rows = wrap(
        _NUMBER.sub(rf"\1{_TOGETHER}", printable(text)),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [row.replace(_TOGETHER, " ") for row in rows] or [first.rstrip()]
