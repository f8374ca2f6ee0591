"""Blocks what denylists say, once every allowlist is enforced.

A denylist never delays or fails an allowlist: its targets are looked at when those of allowlists
are done, and what goes wrong is an outcome of its own target. Where something is not known, less
is blocked: nothing is added, and what must never be blocked is taken out all the same.

A target's entries are not remembered, only that there is one: what is ours is marked in the
firewall, and an entry that no list has is of no use to anyone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.apply import enforce
from allowsync.engine.never_blocked import never_blocked, spared_by
from allowsync.engine.orphan_targets import of_another
from allowsync.engine.prepare import Draft
from allowsync.model.memory import TargetMemory
from allowsync.model.outcome import WRONG, Outcome
from allowsync.model.value import Value, replace
from allowsync.plan.claims import Situation
from allowsync.plan.limits import LimitRefusal
from allowsync.plan.planner import planned
from allowsync.plan.result import BlockReport, TargetReport
from allowsync.policy.blocking import Blocked, blocked, spans_of, united
from allowsync.state import StateError, TargetRecord
from allowsync.state.lock import installations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from allowsync.config.settings import Config, Denylist, Target
    from allowsync.engine.memory import Memory
    from allowsync.model.target import Current
    from allowsync.model.types import Network
    from allowsync.policy.blocking import NeverBlocked, Spans
    from allowsync.policy.decision import Decision


class BlockRefusal(LimitRefusal):
    """Why a denylist blocks nothing that it does not block already."""

    why: str

    @property
    def said(self) -> str:
        """What is refused, why, and what stays."""
        return f"refused: {self.why}; what was blocked before stays"


def _refused(why: str) -> BlockRefusal:
    return BlockRefusal((), 0, 0, emptied=False, entries=(), why=why)


class Listed(Value):
    """What a denylist has to say, and what is never blocked by it.

    Attributes:
        spans: What its lists hold.
        never: What is never blocked.
        lacking: Its lists of which nothing is known.
        over: Its lists that are too old to count.
        refusal: Why nothing may be added; None where it may.
        adds: Whether anything is added at all; not so offline.
    """

    spans: Spans
    never: tuple[NeverBlocked, ...]
    lacking: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    refusal: BlockRefusal | None = None
    adds: bool = True


def block(
    memory: Memory, decisions: Mapping[str, Decision], done: Sequence[TargetReport]
) -> tuple[BlockReport, ...]:
    """Look at the targets of denylists, and let them hold what is to be blocked. Raises nothing.

    A run that is offline adds nothing, and takes out what must not be blocked: at boot it is not
    known yet which networks are this machine's own. A dry run only looks.

    Args:
        memory: What the run goes by.
        decisions: What was decided about its hosts.
        done: What came of the targets of allowlists.
    """
    request = memory.request
    if request.rehearsed:
        return ()
    config = memory.config
    chosen = [
        (one, target)
        for one in config.denylists.values()
        for target in one.targets
        if request.takes(target)
    ]
    if not chosen:
        return ()
    held = ((one.target, one.plan.final) for one in done if one.plan is not None)
    try:
        never = never_blocked(config, decisions, memory.store, held)
    except BackendError as error:
        return tuple(BlockReport(_failed(target, str(error))) for _, target in chosen)
    now, force = memory.now.instant, request.force
    said = lists_said(config, (one for one, _ in chosen), now, force=force)
    found = {one.name: listed(one, never, decisions, said) for one, _ in chosen}
    return tuple(_blocked(target, found[one.name], memory) for one, target in chosen)


class ListSaid(Value):
    """What a list says to denylists: its networks; None where nothing is known of it.

    `over` says that it is too old to count: an old block list harms the innocent.
    """

    spans: Spans | None = None
    over: bool = False


def lists_said(
    config: Config, denylists: Iterable[Denylist], now: datetime, *, force: bool = False
) -> dict[str, ListSaid]:
    """What each list says that denylists name. Raises nothing."""
    names = dict.fromkeys(name for one in denylists for name in one.lists)
    if not names:
        return {}
    from allowsync.engine.lists.in_force import looked_at
    from allowsync.policy.lists import is_over

    found: dict[str, ListSaid] = {}
    for name, kept in looked_at(config, now, force=force, names=names).items():
        if not kept.is_known:
            found[name] = ListSaid()
        elif is_over(config.lists[name], kept.as_of, now):
            found[name] = ListSaid(([], []), over=True)
        else:
            found[name] = ListSaid(kept.spans())
    return found


def listed(
    denylist: Denylist,
    never: tuple[NeverBlocked, ...],
    decisions: Mapping[str, Decision],
    said: Mapping[str, ListSaid],
) -> Listed:
    """What a denylist has to say now."""
    known = {one.network for one in never}
    own = (one for one in spared_by(denylist, decisions) if one.network not in known)
    mine = {name: said[name] for name in denylist.lists}
    spans = (one.spans for one in mine.values() if one.spans is not None)
    return Listed(
        united([spans_of(denylist.networks), *spans]),
        (*never, *dict.fromkeys(own)),
        tuple(name for name, one in mine.items() if one.spans is None),
        tuple(name for name, one in mine.items() if one.over),
    )


def _blocked(target: Target, given: Listed, memory: Memory) -> BlockReport:
    """Let one target hold what is to be blocked; in a dry run, say what it would."""
    if memory.request.offline:
        given = replace(given, spans=((), ()), adds=False)
    since = memory.unconfirmed.get(target.name)
    if since is not None:
        given = replace(given, refusal=_unconfirmed(since))
    one, spared = drafted(target, given, partial(installations, memory.config.state), memory)
    if memory.request.dry_run or one.backend is None:
        return BlockReport(one.report, spared)
    trouble = _remember(one, memory)
    if one.report.plan is not None and not one.report.plan.idle:
        one = _enforced(one)
    report = one.report
    if trouble and report.outcome not in WRONG:
        report = replace(report, outcome=Outcome.UNRECORDED, reason=trouble)
    return BlockReport(report, spared)


def drafted(
    target: Target, given: Listed, names: Callable[[], Iterable[str]], memory: Memory | None = None
) -> tuple[Draft, tuple[NeverBlocked, ...]]:
    """Look at a target and plan what it is to hold. Raises nothing.

    Returns:
        That, and what is never blocked of what it would block otherwise.
    """
    try:
        backend = target.driver()
        current, capabilities = backend.look()
        places = target.places
    except BackendError as error:
        why = target.broken or f"could not be read: {error}"
        return Draft(target, _failed(target, why)), ()
    insists = memory is not None and memory.request.force
    if not insists and (why := of_another(target, names())):
        return Draft(target, _failed(target, why)), ()
    meant, refusal = _meant(given, current)
    wanted: dict[Network, tuple[str, ...]] = dict.fromkeys(meant.networks, ())
    situation = Situation(target.name, current, wanted, capabilities=capabilities)
    plan = planned(situation).plan
    outcome = Outcome.UNCHANGED if plan.idle else Outcome.PLANNED
    if refusal is not None:
        outcome = Outcome.REFUSED
    old = ", ".join(f"lists.{name}" for name in given.over)
    report = TargetReport(
        target.name,
        target.allowlist,
        outcome,
        plan,
        current,
        refusal,
        reason=f"{old}: nothing of it is blocked, it is older than `keep`" if old else "",
    )
    again = partial(_again, target, given, names, memory)
    one = Draft(target, report, again=again, backend=backend, situation=situation, places=places)
    return one, meant.spared


def _again(
    target: Target,
    given: Listed,
    names: Callable[[], Iterable[str]],
    memory: Memory | None,
    **_: bool,
) -> Draft:
    return drafted(target, given, names, memory)[0]


def _meant(given: Listed, current: Current) -> tuple[Blocked, BlockRefusal | None]:
    """What a target is to hold: no more than it does, where more is refused."""
    refusal = given.refusal
    everything = blocked(given.spans, given.never)
    if refusal is None and everything.refusal:
        refusal = _refused(everything.refusal)
    if refusal is None and given.adds and not given.lacking:
        return everything, None
    held = spans_of(one.network for one in current.entries)
    if refusal is not None:
        return replace(blocked(held, given.never), spared=everything.spared), refusal
    return blocked(united((given.spans, held)), given.never), None


def _enforced(one: Draft) -> Draft:
    """Carry a draft out. Where that fails, take out at least what must not be blocked."""
    done = enforce([one])[0]
    plan = one.report.plan
    if done.report.outcome is not Outcome.FAILED or plan is None or one.again is None:
        return done
    fresh = one.again()
    if fresh.report.plan is None or not (fresh.report.plan.remove and fresh.report.plan.add):
        return done
    less = replace(fresh.report.plan, add=())
    tried = enforce([replace(fresh, report=replace(fresh.report, plan=less), again=None)])[0]
    if tried.report.outcome is Outcome.FAILED:
        return done
    out = f"{len(less.remove)} taken out, but nothing was put in: "
    return replace(done, report=replace(done.report, reason=out + done.report.reason))


def _remember(one: Draft, memory: Memory) -> str:
    """Let the state know that there is such a target. Why it does not; empty where it does."""
    target, store = one.target, memory.store
    kind, kept = target.backend.name, target.remembered
    record = TargetRecord(target.name, target.allowlist, kind, kept, one.places)
    try:
        if store.targets().get(target.name) != record:
            store.keep_target(record, TargetMemory())
        waits = memory.request.confirming or target.name in memory.unconfirmed
        if not waits and target.name in store.unconfirmed():
            store.set_confirmed([target.name])
    except StateError as error:
        return f"enforced, but not recorded: the state cannot be written: {error}"
    return ""


def _unconfirmed(since: datetime) -> BlockRefusal:
    when = f"its change of {since:%Y-%m-%d %H:%M} UTC was not confirmed"
    return _refused(f"{when}; retry with --confirm, or apply it with --force")


def _failed(target: Target, reason: str) -> TargetReport:
    return TargetReport(target.name, target.allowlist, Outcome.FAILED, reason=reason)
