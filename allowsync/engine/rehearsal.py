"""A rehearsal: the runs of some days, one after the other, with nothing written anywhere.

They are real runs, step by step. Only their input differs: a copy of the state in memory, a copy of
each target in memory, assumed answers, and simulated clocks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.orphan_targets import of_another
from allowsync.engine.published import with_known
from allowsync.engine.run import steps_of
from allowsync.model.clock import Pulse
from allowsync.model.outcome import WRONG, Notice, Outcome
from allowsync.model.plan import Plan, sorted_entries
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry
from allowsync.model.value import Value, replace
from allowsync.state import StateError
from allowsync.state.rehearsal import forgotten_store, rehearsal_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from allowsync.backend.protocols import Backend
    from allowsync.config.settings import Config, Target
    from allowsync.dns.interface import Resolve
    from allowsync.engine.options import Request
    from allowsync.model.target import Finding
    from allowsync.model.types import Network
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.state import Store
    from allowsync.state.history import Past


class Rehearsal(Value):
    """The result of a rehearsal.

    Attributes:
        began: The start of its first run: now.
        ends: The start of its last run.
        interval: The time between the starts of runs.
        runs: The number of runs.
        report: The last run, with all changes at each target since today.
        past: The history it would leave.
        kept: By host, networks that are not granted then and not withdrawn.
    """

    began: datetime
    ends: datetime
    interval: timedelta
    runs: int
    report: RunReport
    past: Past
    kept: Mapping[str, tuple[Network, ...]]


class TargetCopy:
    """The contents of a target in a rehearsal. A backend like any other, without a firewall."""

    def __init__(self, current: Current, capabilities: Capabilities, trouble: str = "") -> None:
        self.first = self._current = current
        self._capabilities = capabilities
        self._trouble = trouble

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the target."""
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return ()

    def read(self) -> Current:
        """Return the simulated contents. Raises BackendError where the target is unreadable."""
        if self._trouble:
            raise BackendError(self._trouble)
        return self._current

    def apply(self, plan: Plan) -> None:
        """Set the entries to those of a plan, with the labels that the target supports."""
        caps, entries = self._capabilities, plan.final
        if not caps.labels:
            entries = tuple(Entry(one.network) for one in entries)
        elif not caps.replaced:
            entries = tuple(Entry(one.network, one.hosts) for one in entries)
        self._current = replace(self._current, entries=frozenset(entries), flaws=())

    def clear(self) -> None:
        """Remove all entries."""
        self._current = Current()


def count_of(began: datetime, ends: datetime, interval: timedelta) -> int:
    """The number of runs until an instant: one at once, at every interval, and at the end."""
    return -(-(ends - began) // interval) + 1


def instants(began: datetime, ends: datetime, interval: timedelta) -> Iterator[datetime]:
    """The starts of these runs."""
    count = count_of(began, ends, interval) - 1
    yield from (began + number * interval for number in range(count))
    yield ends


def rehearse(
    config: Config,
    request: Request,
    resolve: Resolve,
    pulse: Pulse,
    ends: datetime,
    interval: timedelta,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Rehearsal:
    """Carry out the runs until an instant, without writing anything.

    Args:
        config: The configuration.
        request: The request of each run.
        resolve: Gives the same answers to every run.
        pulse: The machine's clocks now.
        ends: The start of the last run.
        interval: The time between starts.
        progress: Called with the number of finished runs, and of all.
    """
    request = replace(request, dry_run=False, rehearsed=True)
    notices: list[Notice] = []
    with _state(config, notices) as store:
        copies, played = _with_copies(with_known(config), store, pulse.wall)
        steps = list(instants(pulse.wall, ends, interval))
        for number, instant in enumerate(steps, start=1):
            passed = instant - pulse.wall
            clocks = Pulse(instant, pulse.boot, pulse.uptime + passed)
            report = steps_of(played, request, resolve, clocks)(store, notices)
            progress(number, len(steps))
        targets = tuple(_net(one, copies[one.target]) for one in report.targets)
        report = replace(report, targets=targets, dry_run=True)
        past, stays = store.past(pulse.wall), store.open_networks()
    kept = dict(_kept(report, stays))
    return Rehearsal(pulse.wall, ends, interval, len(steps), report, past, kept)


def _state(config: Config, notices: list[Notice]) -> Store:
    try:
        return rehearsal_store(config.state)
    except StateError as error:
        notices.append(Notice(str(error.path), f"{error.why}; rehearsed without history"))
        return forgotten_store(config.state)


def _with_copies(
    config: Config, store: Store, now: datetime
) -> tuple[dict[str, TargetCopy], Config]:
    """The configuration with a copy in place of each target, and without notifications.

    Orphaned targets stay as they are, and are no part of it.
    """
    with suppress(StateError):
        for name in store.targets().keys() - {one.name for one in config.targets}:
            store.forget_target(name, now)
    copies = {one.name: _copy(one, store) for one in config.targets}
    allowlists = {
        name: replace(one, targets=tuple(_played(each, copies[each.name]) for each in one.targets))
        for name, one in config.allowlists.items()
    }
    return copies, replace(config, allowlists=allowlists, notify=(), heartbeat=None)


def _copy(target: Target, store: Store) -> TargetCopy:
    try:
        current, capabilities = target.driver().look()
        trouble = of_another(target) if store.target(target.name) is None else ""
    except (BackendError, StateError) as error:
        return TargetCopy(Current(), Capabilities(), str(error))
    return TargetCopy(current, capabilities, trouble)


def _played(target: Target, copy: TargetCopy) -> Target:
    def make(_placement: object, _options: object) -> Backend:
        return copy

    kind = replace(target.backend, make=make, marked=None, at_boot=None)
    return replace(target, backend=kind)


def _net(last: TargetReport, copy: TargetCopy) -> TargetReport:
    """The last report of a target, with all changes since the first run."""
    if last.plan is None or last.outcome in WRONG:
        return last
    before = {one.network: one for one in copy.first.entries}
    after = {one.network: one for one in last.plan.final}
    plan = Plan(
        last.target,
        sorted_entries(one for network, one in after.items() if network not in before),
        sorted_entries(one for network, one in before.items() if network not in after),
        sorted_entries(one for one in last.plan.keep if one.network in before),
        last.plan.withheld,
        copy.first.flaws,
    )
    outcome = Outcome.UNCHANGED if plan.idle else Outcome.PLANNED
    kept = last.outcome is Outcome.REFUSED
    return replace(last, plan=plan, current=copy.first, outcome=last.outcome if kept else outcome)


def _kept(
    report: RunReport, stays: Mapping[str, Iterable[Network]]
) -> Iterator[tuple[str, tuple[Network, ...]]]:
    """Networks that hosts have without a grant: retained by a limit, or for lack of answers."""
    for name, decision in report.decisions.items():
        granted = {one.network for one in decision.grants}
        left = [one for one in stays.get(name, ()) if one not in granted]
        if left:
            yield name, tuple(sorted(left, key=str))
