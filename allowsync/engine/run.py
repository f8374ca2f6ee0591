"""One run, from start to end. The only place that knows the order of the steps.

    resolve → guard → decide → read targets → plan → limits → remember → apply → read back → record

A dry run is not doing the last four. Nothing below knows what a dry run is.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from allowsync.engine.apply import enforce
from allowsync.engine.guard_probes import guarded
from allowsync.engine.history import began, changes_of, ended, settled, turns
from allowsync.engine.orphan_targets import left_over
from allowsync.engine.prepare import Draft, draft
from allowsync.model.memory import Clock, HostMemory, judge_clock
from allowsync.model.outcome import Notice, Outcome
from allowsync.model.value import replace
from allowsync.plan.reasons import Reasons
from allowsync.plan.result import RunReport, TargetReport
from allowsync.policy.decision import Decision, Now, conclude, has_ended, judgements
from allowsync.state import Lock, RunRecord, StateDamaged, StateError, Store, TargetRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.dns.interface import Resolve
    from allowsync.engine.options import Request as Request
    from allowsync.engine.published import Learnt
    from allowsync.model.types import Host
    from allowsync.notify.dispatch import Post


def run(
    config: Config,
    request: Request,
    resolve: Resolve,
    started: datetime,
    foresee: Callable[[Sequence[Draft]], None] = lambda _: None,
) -> RunReport:
    """Carry out one run.

    Args:
        config: The configuration.
        request: What was asked for.
        resolve: Asks the DNS.
        started: The instant of the run.
        foresee: Is shown what is meant to happen to each target before anything does.

    Raises:
        Busy: Another run holds the lock; nothing was touched.
    """
    this = _Run(config, request, resolve, started, foresee)
    with ExitStack() as stack:
        try:
            if not (request.dry_run or request.confirming):
                stack.enter_context(Lock(config.state))
                _recover(config.state)
            return this.carry_out()
        except StateError as error:
            # Nothing was applied: only what is read before that, or meant, is not caught below.
            return this.without_state(error)


def _recover(state: Path) -> None:
    """Go by the state before a run that was neither confirmed nor put back."""
    if state.with_name(state.name + ".before").exists():
        from allowsync.engine.rollback.snapshot import recover

        recover(state)


@dataclass(slots=True)
class _Run:
    """The state of one run while it lasts."""

    config: Config
    request: Request
    resolve: Resolve
    started: datetime
    foresee: Callable[[Sequence[Draft]], None]
    known: Mapping[str, HostMemory] = field(default_factory=dict)
    learnt: Learnt | None = None

    def without_state(self, error: StateError) -> RunReport:
        """Find out what there would be to do, and leave every target alone."""
        return self._with(Store.nothing(self.config.state), [Notice(str(error.path), error.why)])

    def carry_out(self) -> RunReport:
        began = time.monotonic()
        notices: list[Notice] = []
        store, report = self._with_or_without_history(notices)
        with store:
            report = replace(report, seconds=time.monotonic() - began)
            post = self._post(store, report)
            self._finish(store, report)
            # Last of all: every target is done, and on record.
            undelivered = () if post is None else post.deliver(self.started)
            return replace(report, notices=(*report.notices, *undelivered))

    def _with_or_without_history(self, notices: list[Notice]) -> tuple[Store, RunReport]:
        """Go by what is remembered, or without it where that is damaged.

        To SQLite a read that fails in passing is damage, too (SQLITE_IOERR_CORRUPTFS): what is set
        aside has looked so twice, over a connection of its own each time.
        """
        try:
            return self._with_history(notices)
        except StateDamaged:
            pass
        try:
            return self._with_history(notices)
        except StateDamaged as error:
            store = self._without_history(error, notices)
        return store, self._with(store, notices)

    def _with_history(self, notices: list[Notice]) -> tuple[Store, RunReport]:
        store = self._open(notices)
        try:
            return store, self._with(store, notices)
        except BaseException:
            store.close()
            raise

    def _with(self, store: Store, notices: list[Notice]) -> RunReport:
        memory, last_run = store.hosts(), store.last_run()
        self.known = memory
        now = Now(self.started, judge_clock(last_run, self.started))
        self.learnt = self._learn(store)
        hosts = self._hosts()
        decisions = self._decide(hosts, memory, now)
        waiting = {} if self.request.insists else store.unconfirmed()
        drafts = [
            self._draft(allowlist, target, decisions, store, now, waiting.get(target.name))
            for allowlist in self._allowlists()
            for target in allowlist.targets
            if self.request.covers(allowlist.name, target.name)
            and not (self.request.offline and target.elsewhere)
        ]
        self.foresee(drafts)
        said = [
            *notices,
            *_clock_notice(now, last_run),
            *left_over(self.config, store, self.request.only),
            *(() if self.learnt is None else self.learnt.notices),
        ]
        reports = tuple(self._carry(drafts, decisions, store))
        return RunReport(
            self.started,
            0.0,
            self.request.dry_run,
            self.request.offline,
            decisions,
            reports,
            tuple(said),
        )

    def _allowlists(self) -> list[Allowlist]:
        every = self.config.allowlists.values()
        return [one for one in every if self.request.covers(one.name)]

    def _hosts(self) -> list[Host]:
        names = {name for allowlist in self._allowlists() for name in allowlist.hosts}
        config = self.config if self.learnt is None else self.learnt.config
        return [host for name, host in config.hosts.items() if name in names]

    def _learn(self, store: Store) -> Learnt | None:
        """What sources of networks say; None where no host names any."""
        if not any(host.sources for host in self.config.hosts.values()):
            return None
        from allowsync.engine.published import learn, recalled

        if self.request.offline:
            return recalled(self.config, store)
        names = [host.name for host in self._hosts() if not has_ended(host, self.started)]
        return learn(self.config, store, names, self.started, force=self.request.force)

    def _decide(
        self, hosts: Sequence[Host], memory: Mapping[str, HostMemory], now: Now
    ) -> dict[str, Decision]:
        queries = dict.fromkeys(
            query for host in hosts if not has_ended(host, now.instant) for query in host.queries
        )
        answers = {} if self.request.offline or not queries else self.resolve(queries)
        judged = {host.name: judgements(host, answers) for host in hosts}
        judged = guarded(self.config, hosts, judged, memory, self.resolve, now)
        if self.learnt is not None:
            judged = self.learnt.warned(judged)
        return {
            host.name: conclude(host, judged[host.name], memory.get(host.name, HostMemory()), now)
            for host in hosts
        }

    def _draft(
        self,
        allowlist: Allowlist,
        target: Target,
        decisions: Mapping[str, Decision],
        store: Store,
        now: Now,
        unconfirmed_since: datetime | None,
    ) -> Draft:
        mine = [decisions[name] for name in allowlist.hosts]
        limits = None if self.request.force else self.config.limits
        memory, allow_empty = store.target(target.name), self.config.limits.allow_empty
        one = draft(target, mine, memory, limits, now, allow_empty=allow_empty)
        if unconfirmed_since is None:
            return one
        from allowsync.engine.rollback.pending import former, harmless, left_alone, unconfirmed

        record = store.targets().get(target.name)
        if record is not None and harmless(one.report):
            return one
        was = former(target, record)
        if was is None:
            return left_alone(target, unconfirmed_since)
        kept = unconfirmed(unconfirmed_since)
        return draft(was, mine, memory, limits, now, allow_empty=allow_empty, kept=kept)

    def _carry(
        self, drafts: Sequence[Draft], decisions: Mapping[str, Decision], store: Store
    ) -> Iterable[TargetReport]:
        if self.request.dry_run:
            return [one.report for one in drafts]
        reasons = Reasons(decisions, self.started)
        try:
            record = self._record(drafts, decisions, reasons, store.open_stays())
            store.intend(record)
            self._confirmed(drafts, store)
        except StateDamaged:
            raise
        except StateError as error:
            return [_left_alone(one.report, error) for one in drafts]
        done = enforce(drafts)
        try:
            contents, changes, told = settled((one.report for one in done), reasons)
            store.confirm(contents, changes, self.started, told)
        except StateError as error:
            # What was meant is on record already; only the history lacks the last step.
            return [
                replace(one.report, reason=one.report.reason or _unrecorded(error)) for one in done
            ]
        return [one.report for one in done]

    def _confirmed(self, drafts: Sequence[Draft], store: Store) -> None:
        """Forget what waited for a confirmation, where nothing is kept back any more."""
        waiting = {} if self.request.confirming else store.unconfirmed()
        over = [one.target.name for one in drafts if one.target.name in waiting and one.goes_on]
        if over:
            store.set_confirmed(over)

    def _record(
        self,
        drafts: Sequence[Draft],
        decisions: Mapping[str, Decision],
        reasons: Reasons,
        stays: Mapping[str, set[str]],
    ) -> RunRecord:
        plans = [one.report.plan for one in drafts if one.report.plan is not None]
        return RunRecord(
            self.started,
            self.request.offline,
            {name: one.memory for name, one in decisions.items()},
            frozenset(self.config.hosts),
            tuple(
                (_record_of(one.target), one.intended) for one in drafts if one.intended is not None
            ),
            {one.target.name: one.found for one in drafts if one.intended is not None},
            tuple(change for plan in plans for change in changes_of(plan, reasons)),
            tuple(began(decisions, stays)),
            tuple(ended(decisions, stays, self.config.hosts.keys(), reasons)),
            {} if self.learnt is None else self.learnt.published,
        )

    def _open(self, notices: list[Notice]) -> Store:
        path = self.config.state
        try:
            return Store.reading(path) if self.request.dry_run else Store.writing(path)
        except StateDamaged:
            raise
        except StateError as error:
            notices.append(Notice(str(path), error.why))
            return Store.nothing(path)

    def _without_history(self, error: StateDamaged, notices: list[Notice]) -> Store:
        store = Store.nothing(self.config.state)
        what = f"{error.why}; going on without history: nothing is removed in this run"
        if self.request.dry_run:
            notices.append(Notice(str(store.path), what))
            return store
        aside = store.set_aside(self.started)
        notices.append(Notice(str(store.path), f"{what}. The file was set aside as {aside}"))
        return Store.writing(store.path)

    def _post(self, store: Store, report: RunReport) -> Post | None:
        """The notifications of the run; None where there are no channels."""
        if self.request.dry_run or not self.config.notify:
            return None
        from allowsync.notify.dispatch import collected

        return collected(self.config, store, report, self.known, whole=not self.request.only)

    def _finish(self, store: Store, report: RunReport) -> None:
        if self.request.dry_run:
            return
        problems = [f"{one.where}: {one.what}" for one in report.notices]
        try:
            store.finish(
                report.seconds,
                report.exit_code,
                problems,
                turns(report.targets, self.started),
                self.config.history,
            )
        except StateError:
            return


def _record_of(target: Target) -> TargetRecord:
    return TargetRecord(
        target.name, target.allowlist, target.backend.name, target.written, target.places
    )


def _left_alone(report: TargetReport, error: StateError) -> TargetReport:
    return replace(
        report,
        outcome=Outcome.FAILED,
        reason=f"skipped: the state cannot be written: {error}",
    )


def _unrecorded(error: StateError) -> str:
    return f"done, but the history could not be written: {error}"


def _clock_notice(now: Now, last_run: datetime | None) -> Iterable[Notice]:
    if now.clock is Clock.STEADY or last_run is None:
        return
    how = "went backwards" if now.clock is Clock.BACKWARDS else "jumped ahead by more than a day"
    what = f"{how} since the last run ({last_run:%Y-%m-%d %H:%M} UTC): nothing expires in this run"
    yield Notice("clock", what)
