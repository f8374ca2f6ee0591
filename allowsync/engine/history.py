"""Records of a run: the entries of its targets, and their changes. Pure."""

from __future__ import annotations

from allowsync.model.memory import TargetMemory
from allowsync.model.networks import Coverage, cidr, parsed
from allowsync.model.outcome import DONE, Outcome
from allowsync.model.types import Entry
from allowsync.state import EntryChange
from allowsync.state.access_log import CHANGED, RECOVERED, REPAIRED
from allowsync.state.records import AccessEnd, AccessStart, TargetTransition
from allowsync.text import counted
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.model.memory import Inherited
    from allowsync.model.plan import Plan
    from allowsync.model.types import Network
    from allowsync.plan.reasons import Reasons
    from allowsync.plan.result import BlockReport, TargetReport
    from allowsync.policy.decision import Decision


def settled(
    reports: Iterable[TargetReport], reasons: Reasons
) -> tuple[list[tuple[str, TargetMemory]], list[EntryChange], list[str]]:
    """The records once everything was applied.

    Returns:
        The entries of the targets, the changes, and the names of the targets fully covered by
        these. A failed one may have been changed in part: the next read of it shows that.
    """
    contents: list[tuple[str, TargetMemory]] = []
    changes: list[EntryChange] = []
    told: list[str] = []
    for report in reports:
        plan = report.plan
        if plan is None or report.outcome is Outcome.FAILED:
            continue
        told.append(report.target)
        confirmed = report.outcome is not Outcome.UNKNOWN
        if confirmed and not plan.idle:
            entries = tuple(entry for entry in plan.final if entry.hosts)
            left = _left_of(report.inherited, plan)
            contents.append((report.target, TargetMemory(entries, left, report.claims)))
        changes += changes_of(plan, reasons, confirmed=confirmed)
    return contents, changes, told


def _left_of(inherited: tuple[Inherited, ...], plan: Plan) -> tuple[Inherited, ...]:
    """The entries of unknown origin in a target after a plan.

    A restart before the next run would restore any other.
    """
    if not inherited:
        return ()
    final = Coverage(one.network for one in plan.final)
    return tuple(one for one in inherited if final.covering(one.network) is not None)


def changes_of(plan: Plan, reasons: Reasons, *, confirmed: bool = True) -> list[EntryChange]:
    """The changes of a plan, with reasons."""
    return [
        *(
            EntryChange(plan.target, "add", entry, reasons.added(entry), confirmed)
            for entry in plan.add
        ),
        *(
            EntryChange(plan.target, "remove", entry, reasons.removed(entry, plan), confirmed)
            for entry in plan.remove
        ),
    ]


_WRONG = {
    Outcome.REFUSED: "refused",
    Outcome.FAILED: "failed",
    Outcome.UNKNOWN: "unknown",
}


def began(
    decisions: Mapping[str, Decision], known: Mapping[str, Collection[str]]
) -> Iterator[AccessStart]:
    """The access that begins.

    Args:
        decisions: The decision about each host of the run.
        known: The recorded networks of each host, in CIDR form.
    """
    for name, decision in decisions.items():
        before = known.get(name, ())
        for grant in decision.grants:
            if cidr(grant.network) not in before:
                yield AccessStart(name, grant.network, grant.hostname)


def ended(
    decisions: Mapping[str, Decision],
    known: Mapping[str, set[str]],
    configured: Collection[str],
    lost: Callable[[Entry, str], str],
    kept: Collection[tuple[str, Network]] = (),
) -> Iterator[AccessEnd]:
    """The access that ends, with reasons. A host outside the run keeps its access.

    Args:
        decisions: The decision about each host of the run.
        known: The recorded networks of each host, in CIDR form.
        configured: Every configured host.
        lost: Returns the reason why a host of the run lost an entry.
        kept: Hosts with networks that are not granted any more, but retained at a target.
    """
    for name, before in known.items():
        decision = decisions.get(name)
        if decision is None and name in configured:
            continue
        now = () if decision is None else [cidr(one.network) for one in decision.grants]
        for text in sorted(before.difference(now)):
            network = parsed(text)
            if (name, network) in kept:
                continue
            gone = f"{name} is no longer configured or granted"
            why = gone if decision is None else lost(Entry(network, (name,)), name)
            yield AccessEnd(name, network, why)


def turns(reports: Iterable[TargetReport], at: datetime) -> Iterator[TargetTransition]:
    """The outcome of each target in the run, as far as it may be recorded."""
    for one in reports:
        wrong = _WRONG.get(one.outcome, "failed" if one.lacking else RECOVERED)
        if one.plan is not None and one.plan.repair and one.outcome is Outcome.APPLIED:
            yield TargetTransition(at, one.target, REPAIRED, "; ".join(one.plan.repair))
        yield TargetTransition(at, one.target, wrong, "" if wrong == RECOVERED else one.said)


def changed(blocked: Iterable[BlockReport], at: datetime) -> Iterator[TargetTransition]:
    """The changes of denylists' targets, a line each: there are thousands of entries."""
    for one in (each.report for each in blocked):
        plan = one.plan
        if plan is not None and (plan.add or plan.remove) and one.outcome in DONE:
            what = f"{len(plan.add)} more blocked, {len(plan.remove)} no longer"
            networks = counted(len(plan.final), "network")
            yield TargetTransition(at, one.target, CHANGED, f"{what}: {networks} in all")
