"""The changes of a run at the targets of denylists, as text for people. Pure.

Lists have thousands of networks: the first few are named, the rest is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.networks import short
from allowsync.model.outcome import DONE
from allowsync.policy.denylist import SPECIAL
from allowsync.text import Line, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.inspect.block_status import BlockStatus
    from allowsync.model.types import Entry
    from allowsync.plan.result import BlockReport, RunReport, TargetReport
    from allowsync.policy.denylist import NeverBlocked

MOST: Final = 8  # networks that are named


def block_lines(report: RunReport, *, every_target: bool) -> Iterator[Line]:
    """The changes at each target, and the listed networks that are never blocked.

    Args:
        report: The run.
        every_target: Whether to name targets in sync; failures are among the warnings.
    """
    for one in report.blocked:
        yield from _target_lines(one, every_target=every_target, dry_run=report.dry_run)


def _target_lines(one: BlockReport, *, every_target: bool, dry_run: bool) -> Iterator[Line]:
    target, plan = one.report, one.report.plan
    if plan is None:
        return
    if not plan.idle:
        yield from _changes(target, dry_run=dry_run)
    elif every_target:
        networks = counted(len(plan.final), "network")
        yield Line(f"{target.target} is in sync ({networks} blocked)")
    if every_target or not plan.idle:
        yield from (Line(f"  {text}") for text in spared_lines(one.spared))


def _changes(target: TargetReport, *, dry_run: bool) -> Iterator[Line]:
    plan = target.plan
    if plan is None:
        return
    yield Line(target.target)
    yield from (Line(f"  ~ {flaw}", "yellow") for flaw in plan.repair)
    yield from _named("+", plan.add, "blocked", "green")
    yield from _named("-", plan.remove, "no longer blocked", "red")
    done = not dry_run and target.outcome in DONE
    blocked, opened = ("blocked", "no longer") if done else ("to block", "to open")
    unchanged = len(plan.keep) + len(plan.withheld)
    yield Line(f"  {len(plan.add)} {blocked}, {len(plan.remove)} {opened}, {unchanged} unchanged")


def _named(sign: str, entries: Sequence[Entry], what: str, colour: str) -> Iterator[Line]:
    for entry in entries[:MOST]:
        yield Line(f"  {sign} {short(entry.network):<22} {what}", colour)
    if len(entries) > MOST:
        yield Line(f"  {sign} and {len(entries) - MOST} more", colour)


def spared_lines(spared: Sequence[NeverBlocked]) -> Iterator[str]:
    """The listed networks that are never blocked: hosts' and this machine's own by name."""
    special = sum(one.why == SPECIAL for one in spared)
    own = [one for one in spared if one.why != SPECIAL]
    for one in own[:MOST]:
        yield f"never blocked: {short(one.network)} ({one.why})"
    if len(own) > MOST:
        yield f"never blocked: {len(own) - MOST} more"
    if special:
        yield f"never blocked: {counted(special, 'special-purpose network')}"


def status_lines(standing: Sequence[BlockStatus]) -> Iterator[Line]:
    """The status of each target of a denylist, and the listed networks it never blocks."""
    for one in standing:
        networks = counted(len(one.held), "network")
        if one.in_step:
            yield Line(f"{one.target} is in sync ({networks} blocked)")
        elif one.readable:
            yield Line(f"{one.target} is out of sync ({networks} blocked)", "red")
        else:
            yield Line(f"{one.target} failed", "red")
        yield from (Line(f"    {text}") for text in spared_lines(one.spared))
