"""Gates that are gone, put up again by the state alone: the configuration is not valid.

Nothing is obeyed of what the file says. A gate that stands is left as it is, and one that does not
gets back what it held last: that lets in no host that was out, and shuts out none that was in.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.access_orders import standing
from allowsync.engine.apply import enforce
from allowsync.engine.former_guards import guarded_once, recorded_target
from allowsync.engine.orphan_targets import of_another
from allowsync.engine.prepare import Draft
from allowsync.engine.rollback.snapshot import copy_of
from allowsync.model.networks import touching
from allowsync.model.outcome import WRONG, Notice, Outcome
from allowsync.model.target import installation_of
from allowsync.model.value import Value, replace
from allowsync.plan.claims import Situation
from allowsync.plan.planner import planned
from allowsync.plan.result import TargetReport
from allowsync.policy.clock import read
from allowsync.policy.orders import in_force
from allowsync.state import Busy, Lock, StateError, Store
from allowsync.state.lock import installations
from allowsync.state.private_copy import is_whole
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.config.settings import Target
    from allowsync.model.access_order import StandingOrders
    from allowsync.model.clock import Pulse
    from allowsync.model.memory import TargetMemory
    from allowsync.model.types import Network
    from allowsync.plan.claims import Claims
    from allowsync.policy.clock import Now
    from allowsync.state import TargetRecord


def put_up_again(
    state: Path, configuration: Path, pulse: Pulse, only: Iterable[str] = ()
) -> list[Notice]:
    """Put up the gates that are gone, as they were last, and say so. Raises nothing.

    Args:
        state: The state. One that is another configuration's is left alone.
        configuration: The file that is not valid.
        pulse: The machine's clocks.
        only: The allowlists or targets to look at; all where none is named.
    """
    path = os.path.abspath(configuration)  # noqa: PTH100 - `..` must not follow links
    mine = installation_of(os.fsencode(path))
    names = installations(state)
    if mine not in names:
        return []
    try:
        with Lock(state), _as_recorded(state) as store:
            orders, _ = standing(state, store)
            ended = _ended(orders, pulse, read(store.chronology(), pulse))
            chosen, orphaned = {*only}, store.orphaned()
            return [
                notice
                for one in store.targets().values()
                if one.name not in orphaned
                and (not chosen or not chosen.isdisjoint((one.name, one.allowlist)))
                for notice in _put_up(one, _held(store.target(one.name), ended), state, mine, names)
            ]
    except Busy:
        return []
    except StateError as error:
        return [Notice(str(error.path), error.why)]


def _as_recorded(state: Path) -> Store:
    """The state, or what it was before a run that was never confirmed."""
    copy = copy_of(state)
    return Store.reading(copy if is_whole(copy) else state)


class Ended(Value):
    """What has no access any more by command, whatever a gate held last.

    Attributes:
        labels: The hosts that were revoked, and grants that are over.
        networks: The networks that were revoked.
        unknown: Whether there may be more.
    """

    labels: frozenset[str]
    networks: frozenset[Network]
    unknown: bool = False


def _ended(orders: StandingOrders, pulse: Pulse, now: Now) -> Ended:
    over = (one for one in orders.grants if not in_force(one, pulse) or now.reaches(one.ends))
    revoked = orders.revocations
    return Ended(
        frozenset((*(one.subject for one in revoked), *(one.name for one in over))),
        frozenset(one.network for one in revoked if one.network is not None),
        bool(orders.lacking),
    )


def _put_up(
    record: TargetRecord, wanted: Claims, state: Path, mine: str, names: Iterable[str]
) -> Iterator[Notice]:
    guard = guarded_once(record)
    if guard is None or guard.adds_up:
        return
    try:
        target = recorded_target(record, state, mine)
        why = of_another(target, names)
    except BackendError as error:
        why = str(error)
    if why:
        yield Notice(record.name, f"not looked at, as the configuration is not valid: {why}")
        return
    one = _draft(target, wanted)
    if one.report.plan is None or one.report.plan.repair:
        (done,) = enforce([one])
        yield Notice(record.name, _said(done.report))


def _held(known: TargetMemory | None, ended: Ended) -> Claims:
    """What a target held last, without what only hosts had whose access ended by command."""
    if known is None or ended.unknown:
        return {}
    left: dict[Network, tuple[str, ...]] = {one.network: () for one in known.inherited}
    for one in known.claimed:
        if hosts := tuple(host for host in one.hosts if host not in ended.labels):
            left[one.network] = hosts
    return {one: left[one] for one in left.keys() - touching(left, ended.networks)}


def _draft(target: Target, wanted: Claims, **_: bool) -> Draft:
    """What it takes to make a gate whole. Raises nothing."""
    report = TargetReport(target.name, target.allowlist, Outcome.FAILED)
    try:
        backend = target.driver()
        current, capabilities = backend.look()
    except BackendError as error:
        return Draft(target, replace(report, reason=f"could not be read: {error}"))
    there = frozenset(entry.network for entry in current.entries)
    situation = Situation(target.name, current, wanted, protected=there, capabilities=capabilities)
    plan = planned(situation).plan
    report = replace(report, outcome=Outcome.PLANNED, plan=plan, current=current)
    again = partial(_draft, target, wanted)
    return Draft(target, report, again=again, backend=backend, situation=situation)


def _said(report: TargetReport) -> str:
    """What came of putting a gate up again."""
    plan = report.plan
    if plan is None:
        return report.reason
    flaws = "; ".join(plan.repair)
    if report.outcome in WRONG:
        return f"is not whole ({flaws}), and could not be put up again: {report.reason}"
    entries = counted(len(plan.final), "entry", "entries")
    return f"was not whole ({flaws}); put up again with {entries} that it held last"
