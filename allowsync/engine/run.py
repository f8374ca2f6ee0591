"""One run, from start to end. The only module with the order of the steps.

    resolve → screen → decide → read targets → plan → limits → remember → apply → read back → record

Denylists come before the record is closed, once all targets of allowlists are done.

A dry run leaves out the last four. The modules below do not distinguish dry runs.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from functools import partial

from allowsync.engine.judgement import decide_hosts
from allowsync.engine.memory import Memory, memory_of, read_only, with_history
from allowsync.engine.prepare import draft
from allowsync.engine.record import enforce_on_record, finish
from allowsync.model.clock import Pulse
from allowsync.model.outcome import Notice
from allowsync.model.value import replace
from allowsync.plan.result import RunReport
from allowsync.state import Lock, StateError, Store
from allowsync.state.lock import installations
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.dns.interface import Resolve
    from allowsync.engine.memory import Steps
    from allowsync.engine.options import Request as Request
    from allowsync.engine.prepare import Draft
    from allowsync.plan.result import BlockReport, TargetReport
    from allowsync.policy.decision import Decision


def run(
    config: Config,
    request: Request,
    resolve: Resolve,
    started: datetime | Pulse,
    foresee: Callable[[Sequence[Draft]], None] = lambda _: None,
) -> RunReport:
    """Carry out one run.

    Args:
        config: The configuration.
        request: The request.
        resolve: Queries the DNS.
        started: The machine's clocks at the start, or the instant alone.
        foresee: Called with the intended change of each target before anything is applied.

    Raises:
        Busy: Another run holds the lock; nothing was touched.
    """
    pulse = started if isinstance(started, Pulse) else Pulse(started)
    steps = steps_of(config, request, resolve, pulse, foresee)
    writes = not (request.dry_run or request.confirming)
    try:
        with Lock(config.state, config.path) if writes else nullcontext():
            if writes and (kept := _recover(config.state)) is not None:
                store, notices = kept
                with store:
                    return steps(store, notices)
            return with_history(config, request, pulse.wall, steps)
    except StateError as error:
        # Nothing was applied: only errors of reading, or of recording the intent, get here.
        return _unlocked(config.state, error, steps)


def steps_of(
    config: Config,
    request: Request,
    resolve: Resolve,
    pulse: Pulse,
    foresee: Callable[[Sequence[Draft]], None] = lambda _: None,
) -> Steps:
    """The steps of one run, called with the state to use and notices so far."""

    def steps(store: Store, notices: Sequence[Notice]) -> RunReport:
        began = time.monotonic()
        memory = memory_of(config, request, store, pulse)
        decided = decide_hosts(memory, resolve)
        drafts = [
            _prepare(target, allowlist, decided.decisions, memory)
            for allowlist in memory.config.allowlists.values()
            for target in allowlist.targets
            if request.takes(target)
        ]
        foresee(drafts)
        told = (*notices, *memory.notices)
        reports = [one.report for one in drafts]
        if not request.dry_run:
            reports = enforce_on_record(drafts, decided, memory)
        blocked: tuple[BlockReport, ...] = ()
        if memory.config.denylists:
            from allowsync.engine.denylists import block

            blocked = block(memory, decided.decisions, reports)
        report = replace(_report(memory, decided.decisions, reports, told), blocked=blocked)
        if memory.fleet is not None:
            from allowsync.engine.fleet_publication import publish

            done = publish(memory.fleet, memory, decided.decisions)
            notices = (*report.notices, *done.notices)
            report = replace(report, notices=notices, fleet=done.view.report)
        return finish(memory, replace(report, seconds=time.monotonic() - began))

    return steps


def _unlocked(state: Path, error: StateError, steps: Steps) -> RunReport:
    """Run with the state as readable: a gate that is gone does not wait for its lock."""
    notices: list[Notice] = []
    try:
        with read_only(state, error, notices) as store:
            return steps(store, notices)
    except StateError:
        return steps(Store.nothing(state), [Notice(str(error.path), error.why)])


def _recover(state: Path) -> tuple[Store, list[Notice]] | None:
    """Use the state from before a run that was neither confirmed nor rolled back.

    Returns:
        The copy to read, where it cannot replace the state.
    """
    if not os.path.lexists(state.with_name(state.name + ".before")):
        return None
    from allowsync.engine.rollback.snapshot import copy_of, recover

    notices: list[Notice] = []
    try:
        recover(state)
    except StateError as error:
        return read_only(copy_of(state), error, notices), notices
    return None


def _prepare(
    target: Target, allowlist: Allowlist, decided: Mapping[str, Decision], memory: Memory
) -> Draft:
    """Read a target and plan its change."""
    decisions, beside = [decided[name] for name in allowlist.hosts], allowlist.targets
    limits = memory.config.limits
    held, retired = memory.target(target.name), False
    if memory.fleet is not None or memory.config.hosts_file is not None:
        from allowsync.engine.departed import departed

        decisions += departed(allowlist, memory, held)
    if memory.fleet is not None:
        retired = allowlist.name in memory.fleet.retired
    if retired:  # unlike --force it takes over no gate of another configuration
        limits = replace(limits, max_remove_hosts=1.0, allow_empty=True)
    kept_to = None if memory.request.force else limits
    one = draft(
        target,
        decisions,
        held,
        kept_to,
        memory.now,
        allow_empty=limits.allow_empty,
        beside=beside,
        lost=memory.lost,
        orders=memory.orders,
        unsure=memory.unsure,
        names=partial(installations, memory.config.state),
        former=memory.former,
    )
    if target.name not in memory.unconfirmed:
        return one
    from allowsync.engine.rollback.pending import held_back

    return held_back(one, decisions, held, memory, beside)


def _report(
    memory: Memory,
    decisions: Mapping[str, Decision],
    reports: Sequence[TargetReport],
    notices: tuple[Notice, ...],
) -> RunReport:
    started, request = memory.now.instant, memory.request
    asked = (request.dry_run, request.offline)
    return RunReport(started, 0.0, *asked, decisions, tuple(reports), notices)
