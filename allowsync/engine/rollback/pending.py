"""Targets whose last change was not confirmed (`apply --confirm`).

Until it is, they keep their former entries, and only admit more: changes that could cut people off
wait. A target that did not exist before is skipped.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.prepare import Draft, draft
from allowsync.model.outcome import Notice, Outcome
from allowsync.model.value import replace
from allowsync.plan.claims import hosts_of, without_claims
from allowsync.plan.limits import LimitRefusal
from allowsync.plan.planner import planned
from allowsync.plan.result import TargetReport
from allowsync.state.lock import installations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from allowsync.config.settings import Target
    from allowsync.engine.memory import Memory
    from allowsync.model.memory import TargetMemory
    from allowsync.policy.decision import Decision
    from allowsync.state import Store, TargetRecord

HOW = "retry with --confirm, or apply it with --force"


class Unconfirmed(LimitRefusal):
    """The reason why a target keeps its entries: the change was not confirmed."""

    since: datetime

    @property
    def said(self) -> str:
        """The effect, its start, and the commands that end it."""
        return f"{_why(self.since)}; nothing is removed; {HOW}"


def unconfirmed(since: datetime) -> Unconfirmed:
    """The refusal of every removal."""
    return Unconfirmed((), 0, 0, emptied=False, entries=(), since=since)


def waiting(store: Store) -> Iterator[Notice]:
    """Notices about the targets that wait for a confirmation."""
    for target, since in sorted(store.unconfirmed().items()):
        yield Notice(target, f"{_why(since)}; {HOW}")


def held_back(
    one: Draft,
    decisions: Sequence[Decision],
    held: TargetMemory | None,
    memory: Memory,
    beside: Sequence[Target],
) -> Draft:
    """The draft for a target whose last change waits for a confirmation.

    Args:
        one: The draft without that.
        decisions: The decision about each host of its allowlist.
        held: The memory of the target.
        memory: The input of the run.
        beside: All targets of its allowlist.
    """
    since, record = memory.unconfirmed[one.target.name], memory.store.targets().get(one.target.name)
    if record is not None and harmless(one, decisions):
        return one
    was = former(one.target, record)
    if was is None:
        return left_alone(one.target, since)
    limits = memory.config.limits
    return draft(
        was,
        decisions,
        held,
        None if memory.request.force else limits,
        memory.now,
        allow_empty=limits.allow_empty,
        kept=unconfirmed(since),
        beside=beside,
        orders=memory.orders,
        unsure=memory.unsure,
        names=partial(installations, memory.config.state),
    )


def left_alone(target: Target, since: datetime) -> Draft:
    """The draft for a target that did not exist before: no change."""
    reason = f"skipped: {_why(since)}; {HOW}"
    return Draft(target, TargetReport(target.name, target.allowlist, Outcome.FAILED, reason=reason))


def _why(since: datetime) -> str:
    return f"its change of {since:%Y-%m-%d %H:%M} UTC was not confirmed"


def harmless(one: Draft, decisions: Sequence[Decision]) -> bool:
    """Whether a plan removes and rebuilds nothing, so that it cuts off no host.

    A claim covered by a wider one of another host counts, too: it is all that is left when the
    other one ends.
    """
    plan, situation = one.report.plan, one.situation
    if plan is None or situation is None or plan.remove or plan.repair:
        return False
    ended = {decision.host.name for decision in decisions if decision.ended}
    gone = without_claims(situation.claims, planned(situation).claims)
    return ended.issuperset(hosts_of(gone))


def former(target: Target, record: TargetRecord | None) -> Target | None:
    """A target with its recorded options; None when it was never applied, or at another place.

    Its commands, and all options that the state may not set, are those of the present
    configuration.
    """
    from allowsync.config import ConfigError, rebuild_options

    if record is None or record.backend != target.backend.name or target.broken:
        return None
    try:
        options = rebuild_options(target.backend, record.written, target.options)
    except ConfigError:
        return None
    was = replace(target, options=options, remembered=record.written)
    try:
        return was if was.places == record.places == target.places else None
    except BackendError:
        return None
