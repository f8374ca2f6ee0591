"""Targets whose last change was not confirmed (`apply --confirm`).

Until it is, they stay as they were put there before, and only let more in: what could cut
people off waits. A target that was not there before is left alone.
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
    """Why a target keeps what it has: the change was not confirmed."""

    since: datetime

    @property
    def said(self) -> str:
        """What is kept, since when, and what ends that."""
        return f"{_why(self.since)}; nothing is removed; {HOW}"


def unconfirmed(since: datetime) -> Unconfirmed:
    """The refusal of everything that would take something away."""
    return Unconfirmed((), 0, 0, emptied=False, entries=(), since=since)


def waiting(store: Store) -> Iterator[Notice]:
    """Which targets wait for a confirmation, in words."""
    for target, since in sorted(store.unconfirmed().items()):
        yield Notice(target, f"{_why(since)}; {HOW}")


def held_back(
    one: Draft,
    decisions: Sequence[Decision],
    held: TargetMemory | None,
    memory: Memory,
    beside: Sequence[Target],
) -> Draft:
    """What happens to a target whose last change waits for a confirmation.

    Args:
        one: What would happen to it otherwise.
        decisions: What was decided about each host of its allowlist.
        held: What is remembered of the target.
        memory: What the run goes by.
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
    """What happens to a target that was not there before: nothing."""
    reason = f"skipped: {_why(since)}; {HOW}"
    return Draft(target, TargetReport(target.name, target.allowlist, Outcome.FAILED, reason=reason))


def _why(since: datetime) -> str:
    return f"its change of {since:%Y-%m-%d %H:%M} UTC was not confirmed"


def harmless(one: Draft, decisions: Sequence[Decision]) -> bool:
    """Whether a plan takes nothing away and rebuilds nothing, so that it cuts off no host.

    A claim that a wider one of another host covers is something, too: it is all that is left when
    the other one ends.
    """
    plan, situation = one.report.plan, one.situation
    if plan is None or situation is None or plan.remove or plan.repair:
        return False
    ended = {decision.host.name for decision in decisions if decision.ended}
    gone = without_claims(situation.claims, planned(situation).claims)
    return ended.issuperset(hosts_of(gone))


def former(target: Target, record: TargetRecord | None) -> Target | None:
    """A target with the options it was put there with; None when it never was, at that place.

    Its commands, and all that the state may not say, are those of the present configuration.
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
