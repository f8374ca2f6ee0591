"""A rehearsal: the runs of some days, one after the other, with nothing written anywhere.

They are real runs, step by step. Only what they go by differs: a copy of the state in memory, a
copy of each target in memory, the answers that are assumed, and clocks that move on by themselves.
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
    """What came of a rehearsal.

    Attributes:
        began: When its first run would start: now.
        ends: When its last run would start.
        interval: How long after each other runs would start.
        runs: How many that are.
        report: The last run, with all that would have changed at each target since today.
        past: What would be on record of it.
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
    """What a target holds in a rehearsal. A backend as any other, without a firewall."""

    def __init__(self, current: Current, capabilities: Capabilities, trouble: str = "") -> None:
        self.first = self._current = current
        self._capabilities = capabilities
        self._trouble = trouble

    @property
    def capabilities(self) -> Capabilities:
        """Those of the target."""
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return ()

    def read(self) -> Current:
        """What it would hold. Raises BackendError where the target cannot be read today."""
        if self._trouble:
            raise BackendError(self._trouble)
        return self._current

    def apply(self, plan: Plan) -> None:
        """Hold what a plan says, as far as the target can tell it apart."""
        caps, entries = self._capabilities, plan.final
        if not caps.labels:
            entries = tuple(Entry(one.network) for one in entries)
        elif not caps.replaced:
            entries = tuple(Entry(one.network, one.hosts) for one in entries)
        self._current = replace(self._current, entries=frozenset(entries), flaws=())

    def clear(self) -> None:
        """Hold nothing."""
        self._current = Current()


def count_of(began: datetime, ends: datetime, interval: timedelta) -> int:
    """How many runs start until an instant: at once, at every interval, and then."""
    return -(-(ends - began) // interval) + 1


def instants(began: datetime, ends: datetime, interval: timedelta) -> Iterator[datetime]:
    """When these start."""
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
        request: What is asked of each run.
        resolve: Gives the same answers to every run.
        pulse: The machine's clocks now.
        ends: When the last run starts.
        interval: How long after each other they start.
        progress: Is told how many of them are done.
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
    """The configuration with a copy in the place of each target, and nothing to be told of it.

    What is left of targets that are no longer configured stays as it is, and is no part of it.
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
    """The last report of a target, with all that changed since the first run."""
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
    """What hosts have and are not granted: a limit keeps it, or too few answers."""
    for name, decision in report.decisions.items():
        granted = {one.network for one in decision.grants}
        left = [one for one in stays.get(name, ()) if one not in granted]
        if left:
            yield name, tuple(sorted(left, key=str))
