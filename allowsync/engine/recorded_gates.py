"""Gates restored from the state alone, while the configuration is invalid.

No part of the file is used. A gate that is gone gets its last entries back: that admits no host
that was out, and locks out none that was in. Access that ends by the last valid configuration, or
by command, ends all the same; other entries are left unchanged.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.access_orders import standing
from allowsync.engine.apply import enforce
from allowsync.engine.former_guards import denied, guarded_once, recorded_target
from allowsync.engine.orphan_targets import of_another
from allowsync.engine.prepare import Draft
from allowsync.engine.rollback.snapshot import copy_of
from allowsync.model.networks import touching
from allowsync.model.outcome import WRONG, Notice, Outcome
from allowsync.model.target import installation_of
from allowsync.model.value import Value, replace
from allowsync.plan.claims import Situation, as_it_stands, owners
from allowsync.plan.planner import planned
from allowsync.plan.result import TargetReport
from allowsync.policy.clock import read
from allowsync.policy.orders import in_force
from allowsync.state import Busy, Lock, StateError, Store
from allowsync.state.lock import installations
from allowsync.state.private_copy import is_whole
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from allowsync.config.settings import Target
    from allowsync.model.clock import Pulse
    from allowsync.model.memory import TargetMemory
    from allowsync.model.types import Network
    from allowsync.plan.claims import Claims
    from allowsync.state import TargetRecord


def put_up_again(
    state: Path, configuration: Path, pulse: Pulse, only: Iterable[str] = ()
) -> list[Notice]:
    """Restore the gates that are gone, and end access that is over. Raises nothing.

    Args:
        state: The state. One that belongs to another configuration is left alone.
        configuration: The invalid file.
        pulse: The machine's clocks.
        only: The allowlists or targets to look at; all where none is named.

    Returns:
        Notices of restored gates, ended access, and failures.
    """
    path = os.path.abspath(configuration)  # noqa: PTH100 - `..` must not follow links
    mine = installation_of(os.fsencode(path))
    names = installations(state)
    if mine not in names:
        return []
    try:
        with Lock(state), _as_recorded(state) as store:
            ended = _ended(state, store, pulse)
            chosen, orphaned = {*only}, store.orphaned()
            return [
                notice
                for one in store.targets().values()
                if one.name not in orphaned
                and not denied(one)
                and (not chosen or not chosen.isdisjoint((one.name, one.allowlist)))
                for notice in _enforced(one, store.target(one.name), ended, state, mine, names)
            ]
    except Busy:
        return []
    except StateError as error:
        return [Notice(str(error.path), error.why)]


def _as_recorded(state: Path) -> Store:
    """The state, or its copy from before a run that was never confirmed."""
    copy = copy_of(state)
    return Store.reading(copy if is_whole(copy) else state)


class Ended(Value):
    """Hosts and networks without access any more, whatever a target held last.

    Attributes:
        labels: The revoked hosts, and those whose `until` or grant is over.
        networks: The revoked networks.
        unknown: Whether there may be more.
    """

    labels: frozenset[str]
    networks: frozenset[Network]
    unknown: bool = False

    def only(self, hosts: Collection[str]) -> bool:
        """Whether a claim was that of such hosts alone; one whose hosts are unknown was not."""
        return bool(hosts) and self.labels.issuperset(hosts)


def _ended(state: Path, store: Store, pulse: Pulse) -> Ended:
    orders, _ = standing(state, store)
    now = read(store.chronology(), pulse, store.forgotten_run())
    ends = store.ends()
    over = [one.name for one in orders.grants if not in_force(one, pulse) or now.reaches(one.ends)]
    revoked = orders.revocations
    return Ended(
        frozenset(
            (
                *(host for host, until in ends.items() if now.reaches(until)),
                *(f"{one}.granted" if f"{one}.granted" in ends else one for one in over),
                *(one.subject for one in revoked),
            )
        ),
        frozenset(one.network for one in revoked if one.network is not None),
        bool(orders.lacking),
    )


def _enforced(
    record: TargetRecord,
    known: TargetMemory | None,
    ended: Ended,
    state: Path,
    mine: str,
    names: Iterable[str],
) -> Iterator[Notice]:
    guard = guarded_once(record)
    gate = guard is not None and not guard.adds_up
    over = _over(known, ended)
    if not (gate or over):
        return
    if any(one.kind == "file" for one in record.places):
        yield Notice(record.name, _stays(over, "the reader of the file is unknown"))
        return
    try:
        target = recorded_target(record, state, mine)
        why = of_another(target, names)
    except BackendError as error:
        why = str(error)
    if why:
        what = f"not checked, as the configuration is invalid: {why}"
        yield Notice(record.name, _stays(over, why) if over else what)
        return
    one = _draft(target, _held(known, ended), over, unknown=ended.unknown)
    plan = one.report.plan
    if plan is None or plan.remove or (gate and plan.repair):
        (done,) = enforce([one])
        yield Notice(record.name, _said(done.report))


def _over(known: TargetMemory | None, ended: Ended) -> Claims:
    """The claims of hosts alone whose access ended."""
    claimed = () if known is None else known.claimed
    return {one.network: one.hosts for one in claimed if ended.only(one.hosts)}


def _stays(over: Claims, why: str) -> str:
    hosts = ", ".join(sorted({host for hosts in over.values() for host in hosts}))
    return f"access of {hosts} ended, and stays there until the configuration is valid: {why}"


def _held(known: TargetMemory | None, ended: Ended) -> Claims:
    """The last claims at a target, without those of ended access alone."""
    if known is None:
        return {}
    left: dict[Network, tuple[str, ...]] = {one.network: () for one in known.inherited}
    for one in known.claimed:
        if hosts := tuple(host for host in one.hosts if host not in ended.labels):
            left[one.network] = hosts
    return {one: left[one] for one in left.keys() - touching(left, ended.networks)}


def _draft(target: Target, wanted: Claims, over: Claims, *, unknown: bool, **_: bool) -> Draft:
    """The draft that restores a target, and ends access there. Raises nothing.

    Args:
        target: The target.
        wanted: Its last claims, without ended ones.
        over: The ended claims.
        unknown: Whether there may be more: then no host gains access.
    """
    report = TargetReport(target.name, target.allowlist, Outcome.FAILED)
    try:
        backend = target.driver()
        current, capabilities = backend.look()
    except BackendError as error:
        return Draft(target, replace(report, reason=f"could not be read: {error}"))
    there = owners((entry.network for entry in current.entries), {**wanted, **over})
    situation = Situation(
        target.name,
        current,
        wanted,
        over,
        protected=frozenset(one for one, hosts in there.items() if not hosts or one in wanted),
        capabilities=capabilities,
    )
    if unknown:
        situation = as_it_stands(situation, remembered=False)
    plan = planned(situation).plan
    report = replace(report, outcome=Outcome.PLANNED, plan=plan, current=current)
    again = partial(_draft, target, wanted, over, unknown=unknown)
    return Draft(target, report, again=again, backend=backend, situation=situation)


def _said(report: TargetReport) -> str:
    """The result of restoring a target, or of ending access there, as text."""
    plan = report.plan
    if plan is None:
        return report.reason
    flaws = "; ".join(plan.repair)
    if report.outcome in WRONG and flaws:
        return f"is damaged ({flaws}), and could not be restored: {report.reason}"
    if report.outcome in WRONG:
        return f"revoked or expired access could not be removed: {report.reason}"
    done = (
        [f"revoked or expired access was removed ({len(plan.remove)} removed)"]
        if plan.remove
        else []
    )
    if flaws:
        entries = counted(len(plan.final), "entry", "entries")
        done.append(f"was damaged ({flaws}); restored with {entries} it last held")
    return "; ".join(done)
