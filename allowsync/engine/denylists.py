"""Enforcement of denylists, once every allowlist is enforced.

A denylist never delays or fails an allowlist: its targets are read when those of allowlists are
done, and a failure is an outcome of its own target. Where facts are unknown, less is blocked:
nothing is added, and never-blocked networks are removed all the same.

A target's entries are not remembered, only its existence: entries of allowsync are marked in the
firewall, and an entry that no list has is of no use to anyone.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.apply import enforce
from allowsync.engine.denylist_content import Listed, listed, lists_said, refused
from allowsync.engine.never_blocked import never_blocked
from allowsync.engine.orphan_targets import of_another
from allowsync.engine.prepare import Draft
from allowsync.engine.unheard_hosts import unheard_hosts
from allowsync.model.memory import TargetMemory
from allowsync.model.outcome import WRONG, Outcome
from allowsync.model.value import replace
from allowsync.plan.claims import Situation
from allowsync.plan.planner import planned
from allowsync.plan.result import BlockReport, TargetReport
from allowsync.policy.denylist import NOTHING, Blocked, blocked, common, spans_of, united
from allowsync.state import StateError, TargetRecord
from allowsync.state.lock import installations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from allowsync.config.settings import Target
    from allowsync.engine.denylist_content import BlockRefusal
    from allowsync.engine.memory import Memory
    from allowsync.model.target import Current
    from allowsync.model.types import Entry, Network
    from allowsync.policy.decision import Decision
    from allowsync.policy.denylist import NeverBlocked


def block(
    memory: Memory, decisions: Mapping[str, Decision], done: Sequence[TargetReport]
) -> tuple[BlockReport, ...]:
    """Read the targets of denylists and apply their content. Raises nothing.

    An offline run adds nothing, and removes never-blocked networks: at boot this machine's own
    networks are not known yet. A dry run only reads.

    Args:
        memory: The input of the run.
        decisions: The decisions about its hosts.
        done: The reports of the targets of allowlists.
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
    held = [*_let_in(done), *_apart(memory, done)]
    try:
        never = never_blocked(config, decisions, memory.store, held)
    except BackendError as error:
        return tuple(BlockReport(_failed(target, str(error))) for _, target in chosen)
    now, force = memory.now.instant, request.force
    said = lists_said(config, (one for one, _ in chosen), now, force=force)
    keep = not (request.dry_run or request.offline)
    unknown = _unknown(memory, decisions, keep=keep)
    found = {
        one.name: listed(config, one, never, decisions, said, now, unknown=unknown, keep=keep)
        for one in {one.name: one for one, _ in chosen}.values()
    }
    return tuple(_blocked(target, found[one.name], memory) for one, target in chosen)


def _let_in(done: Iterable[TargetReport]) -> Iterator[tuple[str, Iterable[Entry]]]:
    """The entries of allowlists' targets; where a change may have failed, the former ones, too."""
    for one in done:
        if one.plan is not None:
            yield one.target, one.plan.final
        if one.current is not None and one.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            yield one.target, one.current.entries


def _apart(memory: Memory, done: Sequence[TargetReport]) -> Iterator[tuple[str, Iterable[Entry]]]:
    """The entries of allowlists' targets outside a run with `--only`, as far as readable.

    At boot they may not exist yet, and nothing is added.
    """
    if not memory.request.only or memory.request.offline:
        return
    looked_at = {one.target for one in done}
    for allowlist in memory.config.allowlists.values():
        for target in allowlist.targets:
            if target.name not in looked_at:
                with suppress(BackendError):
                    yield target.name, target.driver().read().entries


def _unknown(memory: Memory, decisions: Mapping[str, Decision], *, keep: bool) -> tuple[str, ...]:
    """The reasons why nothing is added: hosts of unknown address, and unknown followed lists."""
    view, lost = memory.fleet, memory.behind or memory.chronology.last is None
    hosts = unheard_hosts(memory.config.state, decisions, memory.now, lost=lost, keep=keep)
    if view is None or view.is_whole:
        return hosts
    return ("nothing is added while no document of the fleet is known", *hosts)


def _blocked(target: Target, given: Listed, memory: Memory) -> BlockReport:
    """Apply a denylist's content to one target; in a dry run, plan only."""
    if memory.request.offline:
        given = replace(given, meant=Blocked(NOTHING), adds=False, accepted=None)
    since = memory.unconfirmed.get(target.name)
    if since is not None:
        given = replace(given, refusal=_unconfirmed(since), accepted=None)
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
    """Read a target and plan its entries. Raises nothing.

    Returns:
        The draft, and the never-blocked networks that it would block otherwise.
    """
    try:
        backend = target.driver()
        current, capabilities = backend.look()
        places = target.places
    except BackendError as error:
        why = target.broken or f"could not be read: {error}"
        return Draft(target, _failed(target, why)), ()
    if _may_be_anothers(target, current, memory) and (why := of_another(target, names())):
        return Draft(target, _failed(target, why)), ()
    is_new = not current.entries and not _is_recorded(target, memory)
    meant, refusal = _meant(given, current, is_new=is_new)
    wanted: dict[Network, tuple[str, ...]] = dict.fromkeys(meant.networks, ())
    situation = Situation(target.name, current, wanted, capabilities=capabilities)
    plan = planned(situation).plan
    outcome = Outcome.UNCHANGED if plan.idle else Outcome.PLANNED
    if refusal is not None:
        outcome = Outcome.REFUSED
    old = ", ".join(f"lists.{name}" for name in given.over)
    reasons = [f"{old}: none of it is blocked, as it is older than `keep`"] if old else []
    if given.unknown and given.adds and not refusal and meant.spans != given.meant.spans:
        reasons.append(given.unknown[0])
    report = TargetReport(
        target.name,
        target.allowlist,
        outcome,
        plan,
        current,
        refusal,
        reason="; ".join(reasons),
    )
    again = partial(_again, target, given, names, memory)
    one = Draft(target, report, again=again, backend=backend, situation=situation, places=places)
    return one, meant.spared


def _may_be_anothers(target: Target, current: Current, memory: Memory | None) -> bool:
    """Whether the owner of a target must be checked: not for a known target without flaws."""
    if memory is None:
        return bool(current.flaws)
    return not memory.request.force and (bool(current.flaws) or not _is_recorded(target, memory))


def _is_recorded(target: Target, memory: Memory | None) -> bool:
    """Whether an earlier run of this state had the target."""
    return memory is not None and target.name in memory.store.targets()


def _again(
    target: Target,
    given: Listed,
    names: Callable[[], Iterable[str]],
    memory: Memory | None,
    **_: bool,
) -> Draft:
    return drafted(target, given, names, memory)[0]


def _meant(given: Listed, current: Current, *, is_new: bool) -> tuple[Blocked, BlockRefusal | None]:
    """The desired content of a target: no more than its entries, where more is refused."""
    refusal = given.refusal
    meant = given.meant
    if refusal is None and meant.refusal:
        refusal = refused(meant.refusal)
    adds = refusal is None and given.adds
    if adds and not (given.lacking or given.unknown):
        return meant, None
    # The accepted content is restored after a flush; where it is unknown, present entries stay.
    before = given.accepted
    held = spans_of(one.network for one in current.entries) if before is None else before.spans
    if adds and given.unknown and (any(held) or not is_new):
        held = held if given.lacking else common(meant.spans, held)
    elif adds:
        held = united((meant.spans, held))
    return replace(blocked(held, given.never), spared=meant.spared), refusal


def _enforced(one: Draft) -> Draft:
    """Apply a draft. Where that fails, remove at least the never-blocked networks."""
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
    """Record a target in the state. Return why that failed; empty where it did not."""
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
    return refused(f"{when}; retry with --confirm, or apply it with --force")


def _failed(target: Target, reason: str) -> TargetReport:
    return TargetReport(target.name, target.allowlist, Outcome.FAILED, reason=reason)
