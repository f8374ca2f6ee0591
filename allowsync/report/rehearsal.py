"""A rehearsal as text and as JSON: hosts with and without access, and times of loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import short
from allowsync.model.types import by_network
from allowsync.report.json import entry_document, instant, run_document
from allowsync.text import Line, counted, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.engine.assumption import Assumption
    from allowsync.engine.rehearsal import Rehearsal
    from allowsync.model.outcome import ExitCode
    from allowsync.model.types import Entry
    from allowsync.plan.result import TargetReport
    from allowsync.policy.decision import Decision
    from allowsync.report.json import Json
    from allowsync.state.history import AccessPeriod


def assumed_lines(assumptions: Sequence[Assumption]) -> Iterator[Line]:
    """The assumptions."""
    if assumptions:
        yield Line("assumed: " + ", ".join(f"{one.subject}={one.said}" for one in assumptions))


def assumed_document(assumptions: Sequence[Assumption]) -> list[Json]:
    """The assumptions, as JSON values."""
    return [{"subject": one.subject, "answer": one.said} for one in assumptions]


def rehearsal_lines(one: Rehearsal) -> Iterator[Line]:
    """The predicted access at the end of a rehearsal."""
    often = f"a run every {said(one.interval)} ({counted(one.runs, 'run')})"
    yield Line(
        f"until {one.ends:%Y-%m-%d %H:%M} UTC: assumes {often}, each with the same answers; "
        "nothing is written"
    )
    for decision in one.report.decisions.values():
        yield from _host_lines(decision, one)
    for target in one.report.targets:
        yield from _target_lines(target)


def _host_lines(decision: Decision, one: Rehearsal) -> Iterator[Line]:
    name = decision.host.name
    yield Line(f"{name}: {_verdict(decision, one)}", "" if _is_in(decision, one) else "yellow")
    for grant in decision.grants:
        parts = [grant.basis.value, grant.why]
        if grant.ends is not None:
            parts.append(f"ends on {grant.ends:%Y-%m-%d %H:%M} UTC")
        what = ", ".join(part for part in parts if part)
        colour = "green" if _is_new(decision, grant.network, one) else ""
        yield Line(f"  {'+' if colour else ' '} {short(grant.network)}  {what}", colour)
    for network in one.kept.get(name, ()):
        yield Line(f"  ! {short(network)}  retained", "yellow")
    for lost in _lost(decision, one):
        when = f"lost on {lost.ended:%Y-%m-%d %H:%M} UTC"
        yield Line(f"  - {short(lost.network)}  {when}: {lost.why}", "red")


def _verdict(decision: Decision, one: Rehearsal) -> str:
    if _is_in(decision, one):
        return "in"
    if decision.ended:
        return f"out: {decision.ending}"
    lost = max((each.ended for each in _lost(decision, one) if each.ended), default=None)
    if lost is not None:
        return f"out since {lost:%Y-%m-%d %H:%M} UTC"
    return "out: no answer yet" if decision.undecided else "out: no address"


def _is_in(decision: Decision, one: Rehearsal) -> bool:
    return bool(decision.grants or one.kept.get(decision.host.name))


def _is_new(decision: Decision, network: object, one: Rehearsal) -> bool:
    periods = (each for each in one.past.stays if each.host == decision.host.name)
    return any(each.network == network and each.began >= one.began for each in periods)


def _lost(decision: Decision, one: Rehearsal) -> list[AccessPeriod]:
    """The networks a host would lose, in chronological order, without those it regains."""
    has = {grant.network for grant in decision.grants}
    return [
        each
        for each in one.past.stays
        if each.host == decision.host.name and each.ended is not None and each.network not in has
    ]


def _target_lines(target: TargetReport) -> Iterator[Line]:
    plan = target.plan
    if plan is None:
        yield Line(f"{target.target}: {target.said}", "red")
        return
    changes = f"{len(plan.remove)} removed, {len(plan.add)} added"
    entries = counted(len(plan.final), "entry", "entries")
    yield Line(f"{target.target} would hold {entries} ({changes})")
    if target.said:
        yield Line(f"  {target.said}", "yellow")


def rehearsal_document(one: Rehearsal, assumptions: Sequence[Assumption], code: ExitCode) -> Json:
    """A rehearsal: the document of its last run (`allowsync.run/1`), and its course."""
    return {
        **run_document(one.report, code),
        "assumed": assumed_document(assumptions),
        "rehearsal": {
            "from": instant(one.began),
            "until": instant(one.ends),
            "interval": int(one.interval.total_seconds()),
            "runs": one.runs,
            "hosts": [_host(decision, one) for decision in one.report.decisions.values()],
            "targets": [
                {"target": each.target, "entries": [entry_document(e) for e in _entries(each)]}
                for each in one.report.targets
            ],
        },
    }


def _host(decision: Decision, one: Rehearsal) -> Json:
    return {
        "host": decision.host.name,
        "in": _is_in(decision, one),
        "networks": [str(grant.network) for grant in decision.grants],
        "retained": list(map(str, one.kept.get(decision.host.name, ()))),
        "lost": [
            {
                "network": str(each.network),
                "at": None if each.ended is None else instant(each.ended),
                "why": each.why,
            }
            for each in _lost(decision, one)
        ],
    }


def _entries(target: TargetReport) -> list[Entry]:
    final = () if target.plan is None else target.plan.final
    return sorted(final, key=lambda entry: by_network(entry.network))
