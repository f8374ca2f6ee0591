"""Preparation of one target: read it, plan, check the plan against the limits.

Any failure with one target is an outcome of that one, never an exception that would keep another
from being repaired.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from allowsync.backend.api import BackendError
from allowsync.backend.driver import marks_of, needs_of
from allowsync.engine.orphan_targets import of_another
from allowsync.model.memory import Inherited, TargetMemory
from allowsync.model.networks import touching
from allowsync.model.outcome import Outcome
from allowsync.model.types import BOTH_FAMILIES, by_network
from allowsync.model.value import Value, replace
from allowsync.plan.claims import (
    Situation,
    as_it_stands,
    believed,
    leaving,
    merged,
    unexplained,
    union,
    without_claims,
)
from allowsync.plan.planner import Planned, apart, planned, unfit
from allowsync.plan.result import TargetReport
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from allowsync.backend.driver import Driver
    from allowsync.config.settings import Target
    from allowsync.model.access_order import StandingOrders
    from allowsync.model.plan import Plan
    from allowsync.model.target import Capabilities, Current, Place, Traffic
    from allowsync.model.types import Family, Limits, Network
    from allowsync.plan.limits import LimitRefusal
    from allowsync.policy.clock import Now
    from allowsync.policy.decision import Decision
    from allowsync.state import TargetRecord


class Draft(Value):
    """The intended change of a target.

    Attributes:
        target: The target.
        report: The report so far; `report.plan` is None when it could not be read.
        intended: The memory to record before anything is applied; None for no change of it.
        again: Makes a new draft from a fresh read, after a concurrent change; where it cannot be
            recorded, with `unrecorded=True`.
        backend: The backend that applies it; None when it could not be made.
        unconfirmed: Whether some of it waits for a confirmation.
        situation: The input of the plan.
    """

    target: Target
    report: TargetReport
    intended: TargetMemory | None = None
    again: Callable[..., Draft] | None = None
    backend: Driver | None = None
    unconfirmed: bool = False
    situation: Situation | None = None
    places: tuple[Place, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether there is a plan, and none of it waits for a confirmation."""
        return self.report.plan is not None and not self.unconfirmed

    @property
    def found(self) -> frozenset[Network]:
        """The networks found in the target."""
        current = self.report.current
        return frozenset() if current is None else frozenset(e.network for e in current.entries)

    @property
    def traffic(self) -> Traffic | None:
        """Packets recently seen from networks; None where these are not counted."""
        return None if self.report.current is None else self.report.current.traffic


def draft(
    target: Target,
    decisions: Sequence[Decision],
    memory: TargetMemory | None,
    limits: Limits | None,
    now: Now,
    *,
    allow_empty: bool,
    kept: LimitRefusal | None = None,
    beside: Sequence[Target] = (),
    lost: bool = False,
    unknown: tuple[Inherited, ...] = (),
    unrecorded: bool = False,
    names: Callable[[], Iterable[str]] = tuple,
    orders: StandingOrders | None = None,
    unsure: bool = False,
    former: Callable[[], Iterable[TargetRecord]] = tuple,
) -> Draft:
    """Read a target and plan its change. Raises nothing.

    Args:
        target: The target.
        decisions: The decision about each host of its allowlist.
        memory: The memory of the target; None when nothing was ever applied there.
        limits: The limits to keep; None when they are overridden.
        now: The instant of the run.
        allow_empty: Whether an allowlist without any address may be enforced.
        kept: The reason why nothing may be removed; None where it may.
        beside: All targets of its allowlist.
        lost: Whether memory was lost.
        unknown: The entries of unknown origin after an earlier read of this run: a wider one may
            cover them since.
        unrecorded: Whether nothing can be recorded. Entries of the run before may be unrecorded,
            too, so an unremembered entry stays.
        names: Returns the marks of this configuration, under each name it has had.
        orders: The access orders given by command.
        unsure: Whether it may hold entries of an unrecorded run.
        former: Returns the records of orphaned targets.
    """

    def once_more(*, unrecorded: bool = unrecorded) -> Draft:
        again = partial(draft, allow_empty=allow_empty, kept=kept, beside=beside, lost=lost)
        again = partial(again, unrecorded=unrecorded, names=names, orders=orders, unsure=unsure)
        again = partial(again, former=former)
        # This run counts once, however often it reads.
        seen = tuple(replace(one, runs=one.runs - now.counts) for one in inherited)
        return again(target, decisions, memory, limits, now, unknown=seen)

    try:
        backend = target.driver()
        current, capabilities = backend.look()
        places = target.places
    except BackendError as error:
        why = target.broken or f"could not be read: {error}"
        return Draft(target, _failed(target, why))
    foreign = limits is not None and (memory is None or current.flaws)
    if foreign and (why := of_another(target, names())):
        return Draft(target, _failed(target, why))
    alone = memory is None and current.flaws and not (current.entries or unknown)
    if alone and (lost or not union(decisions)):  # a first run finds nothing beside
        unknown = _unknown_beside(target, beside, now)
    known = replace(memory or TargetMemory(), inherited=unknown) if unknown else memory
    situation, inherited = _situation(
        target, current, capabilities, decisions, known, now, unsure=unsure
    )
    situation = replace(situation, beside=_held_beside(target, capabilities, beside))
    if orders is not None and orders.lacking:
        situation, lost = as_it_stands(situation, remembered=orders.remembered), True
    if unrecorded:
        from allowsync.policy.orphans import closed

        stays = situation.protected | unexplained(situation) - closed(decisions)
        situation = replace(situation, protected=stays)
    situation, made, refusal = _within_limits(situation, decisions, limits, kept)
    plan = made.plan
    report = TargetReport(
        target.name,
        target.allowlist,
        _expected(plan, refusal),
        plan,
        current,
        refusal,
        unfit(situation),
        inherited,
        _too_many(plan, capabilities),
        ineffective(plan, current),
        undecided=situation.undecided,
    )
    if _would_lock_out(plan, current, situation) and not allow_empty:
        if memory is None and not (
            lost or _stands(target, places) or _succeeds(target, places, former())
        ):
            report = replace(report, outcome=Outcome.FAILED, plan=None, reason=_NO_ADDRESS_YET)
            return Draft(target, report)
        # A gate that is gone (a flush, a reboot) is restored, if need be without entries: a lack of
        # knowledge about hosts does not open it to everyone.
        situation = replace(situation, held_back=believed(situation, situation.trusted))
        made = planned(situation)
        outcome, shut = _expected(made.plan, None), not made.plan.final
        report = replace(report, plan=made.plan, outcome=outcome, refusal=None, closed=shut)
    if report.reason:
        return Draft(target, replace(report, outcome=Outcome.FAILED, plan=None))
    report = replace(report, claims=made.apart)
    intended = _intended(made, situation, inherited)
    waits = kept is not None
    return Draft(target, report, intended, once_more, backend, waits, situation, places)


_NO_ADDRESS_YET = "skipped: no host has an address yet; applying it would lock everyone out"


def _stands(target: Target, places: Collection[Place]) -> bool:
    """Whether a marked part of a target is left in the firewall itself."""
    with suppress(BackendError):
        return any(one.place in places for one in marks_of(target.backend, ()))
    return False


def _succeeds(target: Target, places: Collection[Place], former: Iterable[TargetRecord]) -> bool:
    """Whether a target replaces an orphaned one."""
    from allowsync.engine.former_guards import succeeds

    return succeeds(target, places, former)


def _held_beside(
    target: Target, capabilities: Capabilities, beside: Sequence[Target]
) -> frozenset[Family]:
    """The families that a target of the same kind holds which holds none of this one's.

    A packet of the other family never reaches a set in `table ip`, only that in `table ip6`.
    """
    lacking = frozenset(BOTH_FAMILIES).difference(capabilities.families)
    found: set[Family] = set()
    for one in beside if lacking else ():
        if one.name != target.name and one.backend.name == target.backend.name:
            with suppress(BackendError):
                its = frozenset(one.driver().capabilities.families)
                found |= its if its <= lacking else frozenset()
    return frozenset(found)


def _unknown_beside(target: Target, beside: Iterable[Target], now: Now) -> tuple[Inherited, ...]:
    """The entries of an allowlist's other targets on this machine, for a gate that is gone.

    Without memory, they alone show which hosts had access. Remote ones would wait for a network.
    """
    held: set[Network] = set()
    for one in beside:
        with suppress(BackendError):
            if one.name != target.name and not needs_of(one.backend, one.options).online:
                held.update(entry.network for entry in one.driver().read().entries)
    return tuple(Inherited(one, now.instant) for one in sorted(held, key=by_network))


def _situation(
    target: Target,
    current: Current,
    capabilities: Capabilities,
    decisions: Sequence[Decision],
    memory: TargetMemory | None,
    now: Now,
    *,
    unsure: bool,
) -> tuple[Situation, tuple[Inherited, ...]]:
    wanted = union(decisions)
    inherited, protected, over = _unknown_origin(
        current, wanted.keys(), decisions, memory, now, unsure=unsure
    )
    networks = {one for decision in decisions for one in decision.host.revoked_networks}
    known = {} if memory is None else {one.network: one.hosts for one in memory.claimed}
    held = (one.network for one in current.entries)
    revoked = touching((*known, *held, *(one.network for one in inherited)), networks)
    over |= revoked
    situation = Situation(
        target.name,
        current,
        wanted,
        claims=known,
        trusted=frozenset(one.host.name for one in decisions if not one.ended),
        undecided=frozenset(one.host.name for one in decisions if one.undecided),
        inherited=frozenset(one.network for one in inherited) - over,
        protected=protected - over,
        capabilities=capabilities,
        replaced=leaving(decisions) if capabilities.replaced else {},
        refuted={one.host.name: one.refuted for one in decisions if one.refuted},
        revoked=revoked,
    )
    return situation, inherited


def _unknown_origin(
    current: Current,
    wanted: Collection[Network],
    decisions: Sequence[Decision],
    memory: TargetMemory | None,
    now: Now,
    *,
    unsure: bool,
) -> tuple[tuple[Inherited, ...], frozenset[Network], frozenset[Network]]:
    """Entries of unknown origin, those of them still protected, and networks of ended access."""
    if memory is not None and not memory.inherited and not unsure:
        return (), frozenset(), frozenset()
    from allowsync.policy.orphans import closed, confirmed_by, inherited_after, still_protected

    held = (entry.network for entry in current.entries)
    gone, confirmed = bool(current.flaws) and not current.entries, confirmed_by(decisions)
    inherited = inherited_after(
        memory, held, wanted, now, confirmed=confirmed, unsure=unsure, gone=gone
    )
    over = closed(decisions) if inherited else frozenset()
    return inherited, still_protected(inherited, decisions, now), over


def _within_limits(
    situation: Situation,
    decisions: Sequence[Decision],
    limits: Limits | None,
    kept: LimitRefusal | None,
) -> tuple[Situation, Planned, LimitRefusal | None]:
    """The situation and plan within the limits, and the refused removals."""
    made, refusal = planned(situation), None
    if kept is None and (limits is None or not _takes(situation, made)):
        return situation, made, None
    from allowsync.plan.limits import blocks, keep_all, limit, limited

    if kept is not None:
        ended = frozenset(one.host.name for one in decisions if one.ended)
        refusal = keep_all(situation, made.claims, kept, ended)
    elif limits is not None:
        refusal = limit(situation, made.claims, limits, len(decisions))
    if refusal is None:
        return situation, made, None
    refused = kept is not None or blocks(refusal, made.plan, situation)
    situation = limited(situation, refusal)
    return situation, planned(situation), refusal if refused else None


def _takes(situation: Situation, made: Planned) -> bool:
    """Whether a plan leaves a host less than before, or the target empty; mostly it does not."""
    return not made.claims or bool(without_claims(situation.claims, made.claims))


def _expected(plan: Plan, refusal: LimitRefusal | None) -> Outcome:
    if refusal is not None:
        return Outcome.REFUSED
    return Outcome.UNCHANGED if plan.idle else Outcome.PLANNED


def _would_lock_out(plan: Plan, current: Current, situation: Situation) -> bool:
    """Whether the plan would create a gate, or repair one, that no host can pass.

    Where trusted hosts exist but none of them has an address, that is a lack of knowledge and no
    intention. Where no host is trusted any more, an empty gate is intended.
    """
    nothing_there = not current.entries
    return bool(plan.repair) and not plan.final and nothing_there and bool(situation.trusted)


def ineffective(plan: Plan, current: Current) -> dict[Network, str]:
    """Entries of a plan that are present already and admit no packet, each with the reason."""
    if not current.ineffective:
        return {}
    return {
        one.network: current.ineffective[one.network]
        for one in plan.final
        if one.network in current.ineffective
    }


def _too_many(plan: Plan, capabilities: Capabilities) -> str:
    excess = capabilities.excess([one.network for one in plan.final])
    return f"skipped: {excess}" if excess else ""


def _intended(
    made: Planned, situation: Situation, inherited: tuple[Inherited, ...]
) -> TargetMemory:
    """The possible entries of the target once anything is applied: old and new ones."""
    plan = made.plan
    final = tuple(entry for entry in plan.final if entry.hosts)
    if plan.idle:
        return TargetMemory(final, inherited, made.apart)
    leaving = (entry for entry in plan.remove if entry.hosts)
    entries = {entry.network: entry for entry in (*leaving, *final)}
    labels = {network: entry.hosts for network, entry in entries.items()}
    known = {network: hosts for network, hosts in made.claims.items() if hosts}
    claims = apart(labels, merged(situation.claims, known))
    return TargetMemory(tuple(entries.values()), inherited, claims)


def _failed(target: Target, reason: str) -> TargetReport:
    return TargetReport(target.name, target.allowlist, Outcome.FAILED, reason=reason)
