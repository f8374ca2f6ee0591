"""Applying on record: the state knows all entries that may be enforced, before and after."""

from __future__ import annotations

from allowsync.engine.history import began, changed, changes_of, ended, settled, turns
from allowsync.model.memory import TargetMemory
from allowsync.model.outcome import WRONG, Outcome
from allowsync.model.value import replace
from allowsync.plan.claims import retained
from allowsync.policy.clock import remembered
from allowsync.state import EntryChange, RunRecord, StateDamaged, StateError, TargetRecord
from allowsync.state.files import leave_mark, take_mark, unrecorded_mark
from allowsync.state.lock import note_configuration
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from allowsync.engine.judgement import Judgement
    from allowsync.engine.memory import Memory
    from allowsync.engine.prepare import Draft
    from allowsync.model.plan import Plan
    from allowsync.model.types import Entry, Network
    from allowsync.notify.dispatch import Post
    from allowsync.plan.reasons import Reasons
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.policy.decision import Decision
    from allowsync.state.records import AccessEnd


def enforce_on_record(
    drafts: Sequence[Draft], decided: Judgement, memory: Memory
) -> list[TargetReport]:
    """Record the intended changes, apply them, and record the result.

    Where there is nothing to apply, all is recorded in one step with the end of the run (`finish`).
    Where recording fails (a full or read-only disk, a state that cannot even be read), the changes
    are applied all the same: closing a port to strangers does not wait for a disk.

    Raises:
        StateDamaged: The state's contents are invalid. Nothing was applied.
    """
    store = memory.store
    idle = all(one.report.plan is None or one.report.plan.idle for one in drafts)
    try:
        store.intend(_record(drafts, decided, memory), hold=idle and not memory.config.notify)
        _confirm(drafts, memory)
    except StateDamaged:
        raise
    except StateError as error:
        from allowsync.engine.apply import enforce

        leave_mark(unrecorded_mark(memory.config.state))
        return [_unrecorded(one.report, error) for one in enforce(list(map(_unsure, drafts)))]
    if idle:
        return [one.report for one in drafts]
    from allowsync.engine.apply import enforce

    done = enforce(drafts)
    try:
        contents, changes, told = settled((one.report for one in done), _reasons(decided, memory))
        store.confirm(contents, changes, memory.now.instant, told)
    except StateError as error:
        # The intended changes are recorded already; only the history lacks the last step.
        return [_history_lacks(one.report, error) for one in done]
    return [one.report for one in done]


def finish(memory: Memory, report: RunReport) -> RunReport:
    """Close the record of a run and send its notifications; in a dry run, do nothing.

    Raises:
        StateDamaged: The state's contents are invalid. Nothing was applied, nor recorded.
    """
    if memory.request.dry_run:
        return report
    post, held = _post(memory, report), memory.store.holds
    try:
        memory.store.finish(
            report.seconds,
            report.exit_code,
            [f"{one.where}: {one.what}" for one in report.notices],
            (
                *turns(report.every_target, report.started),
                *changed(report.blocked, report.started),
            ),
            memory.config.history,
        )
    except StateError as error:
        if held and isinstance(error, StateDamaged):
            raise
        if held:
            targets = tuple(_unrecorded(one, error) for one in report.targets)
            report = replace(report, targets=targets)
    else:
        _leave_traces(memory, report)
    # Last of all: every target is done, and recorded.
    undelivered = () if post is None else post.deliver(report.started)
    return replace(report, notices=(*report.notices, *undelivered))


def _leave_traces(memory: Memory, report: RunReport) -> None:
    """Mark this run as recorded. Unrecorded entries of targets outside it are still to be found.

    A run without its confirmation is not marked. Nor is one that follows a lost state and did not
    read every target: the gate of an unread one is still lost. A state in place of another one then
    lacks the runs of that.
    """
    request, latest = memory.request, memory.now.latest or memory.now.instant
    unread = memory.behind and any(one.current is None for one in report.targets)
    if unread or (memory.unsure and request.only):
        if memory.moved and not request.confirming:
            memory.store.note_run(latest, recorded=False)
        return
    if memory.unsure:
        take_mark(unrecorded_mark(memory.config.state))
    if not request.confirming:
        memory.store.note_run(latest)
        if not request.rehearsed:
            note_configuration(memory.config.path, memory.config.state)


def _post(memory: Memory, report: RunReport) -> Post | None:
    """The notifications of a run; None where none are configured."""
    if not memory.config.notify:
        return None
    from allowsync.notify.dispatch import collected

    whole = not memory.request.only
    return collected(memory.config, memory.store, report, memory.hosts, whole=whole)


def _confirm(drafts: Sequence[Draft], memory: Memory) -> None:
    """Remove the marks of pending confirmations, where no change is pending any more."""
    waiting = {} if memory.request.confirming else memory.store.unconfirmed()
    over = [one.target.name for one in drafts if one.target.name in waiting and one.goes_on]
    if over:
        memory.store.set_confirmed(over)


def _reasons(decided: Judgement, memory: Memory) -> Reasons:
    """The reasons of the run. Imported where there is a change to explain."""
    from allowsync.plan.reasons import Reasons

    return Reasons(decided.decisions, memory.now.instant)


def _record(drafts: Sequence[Draft], decided: Judgement, memory: Memory) -> RunRecord:
    decisions, stays = decided.decisions, memory.store.open_stays()
    plans = [one.report.plan for one in drafts if one.report.plan is not None]
    busy = [one for one in plans if not one.idle]
    hosts = memory.config.hosts
    return RunRecord(
        memory.now.instant,
        memory.request.offline,
        {name: one.memory for name, one in decisions.items()},
        frozenset(hosts),
        (
            *((_target(one), one.intended) for one in drafts if one.intended is not None),
            *_carried_on(drafts, memory),
        ),
        {one.target.name: one.found for one in drafts if one.intended is not None},
        _changes(busy, decided, memory) if busy else (),
        tuple(began(_listed(decisions, memory), stays)),
        _ended(drafts, decided, stays, memory),
        memory.published,
        decided.ledger,
        remembered(memory.now, memory.pulse),
        whole=not memory.request.only,
        traffic={one.target.name: one.traffic for one in drafts if one.traffic is not None},
        renamed=memory.renamed,
        enforced=frozenset(target.name for target in memory.config.targets),
        ends=_ends(memory),
        beside={name: one for name, one in memory.hosts.items() if name not in decisions},
        again=decided.again,
    )


def _ends(memory: Memory) -> Mapping[str, datetime]:
    """The end of hosts' access; the recorded ones as well where a followed list is unknown."""
    ends = {name: one.until for name, one in memory.config.hosts.items() if one.until is not None}
    if memory.fleet is None or memory.fleet.is_whole:
        return ends
    return {**memory.store.ends(), **ends}


def _listed(decisions: Mapping[str, Decision], memory: Memory) -> Mapping[str, Decision]:
    """The decisions about hosts of allowlists: a host that a denylist exempts has no access."""
    if not memory.config.denylists:
        return decisions
    names = {name for one in memory.config.allowlists.values() for name in one.hosts}
    return {name: one for name, one in decisions.items() if name in names}


def _changes(plans: Sequence[Plan], decided: Judgement, memory: Memory) -> tuple[EntryChange, ...]:
    reasons = _reasons(decided, memory)
    return tuple(change for plan in plans for change in changes_of(plan, reasons))


def _kept(drafts: Sequence[Draft]) -> set[tuple[str, Network]]:
    """The retained networks of hosts, without a grant: undecided, or refused by a limit."""
    return {
        (host, network)
        for one in drafts
        if one.situation is not None
        for network, hosts in retained(one.situation).items()
        for host in hosts
    }


def _ended(
    drafts: Sequence[Draft],
    decided: Judgement,
    stays: Mapping[str, set[str]],
    memory: Memory,
) -> tuple[AccessEnd, ...]:
    """The access that ends. Raises StateDamaged where a recorded value is no network."""
    hosts = memory.config.hosts.keys()

    def lost(entry: Entry, label: str) -> str:
        return _reasons(decided, memory).lost(entry, label)

    try:
        return tuple(ended(decided.decisions, stays, hosts, lost, _kept(drafts)))
    except (ValueError, TypeError) as error:
        raise StateDamaged(memory.store.path, f"it holds an impossible value ({error})") from error


def _carried_on(
    drafts: Sequence[Draft], memory: Memory
) -> Iterator[tuple[TargetRecord, TargetMemory]]:
    """The memory of targets that this run does not change.

    A host's new label is known in this run alone, and so may be an orphaned target: the next run
    searches no kind of firewall that is neither configured nor recorded.
    """
    if memory.renamed:
        known = memory.store.targets()
        for one in drafts:
            held = memory.target(one.target.name) if one.intended is None else None
            if held is not None:
                yield known[one.target.name], held
    kinds = {one.target.backend.name for one in drafts}
    for left in memory.orphans:
        if left.kind is not None and left.record is None and left.kind.name not in kinds:
            yield left.to_remember, TargetMemory()


def _target(one: Draft) -> TargetRecord:
    target = one.target
    return TargetRecord(
        target.name, target.allowlist, target.backend.name, target.remembered, one.places
    )


def _unsure(one: Draft) -> Draft:
    """The same draft where the state may be older than the target's entries."""
    return one.again(unrecorded=True) if one.goes_on and one.again is not None else one


def _unrecorded(report: TargetReport, error: StateError) -> TargetReport:
    if report.outcome in WRONG:
        return report
    what = f"enforced, but not recorded: the state cannot be written: {error}"
    return replace(report, outcome=Outcome.UNRECORDED, reason=what)


def _history_lacks(report: TargetReport, error: StateError) -> TargetReport:
    what = f"done, but the history could not be written: {error}"
    return replace(report, reason=report.reason or what)
