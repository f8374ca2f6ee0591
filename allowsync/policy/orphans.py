"""Retention of entries of unknown origin. Pure.

After the state was lost (or before there was any) a target may hold entries of friends whose names
give another address by now, or no answer. They get the time they would have had without the loss:
the clock that fits the known state of the allowlist's hosts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.model.memory import Inherited, TargetMemory
from allowsync.model.networks import Coverage
from allowsync.model.types import Basis
from allowsync.model.value import replace
from allowsync.policy.screening import network_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from allowsync.model.types import Network
    from allowsync.policy.clock import Now
    from allowsync.policy.decision import Decision


def inherited_after(
    memory: TargetMemory | None,
    held: Iterable[Network],
    wanted: Collection[Network],
    now: Now,
    *,
    confirmed: Collection[Network] = (),
    unsure: bool = False,
    gone: bool = False,
) -> tuple[Inherited, ...]:
    """The entries of unknown origin after this run.

    One covered by a wider entry is remembered until its time is over: the wider one may be removed
    earlier. So is one that was lost with all entries of the target: it is restored with them.

    Args:
        memory: The memory of the target; None when nothing was ever applied as far as known.
        held: The networks in the target.
        wanted: The wanted networks: these are explained, and inherited no longer.
        now: The instant of the run.
        confirmed: The networks confirmed by answers (see `confirmed_by`).
        unsure: Whether it may hold entries of an unrecorded run.
        gone: Whether the target lost all its entries (a flush, a reboot).
    """
    known, found = memory or TargetMemory(), tuple[Inherited, ...]()
    if memory is None or unsure:
        held = list(held)
        claimed = (one.network for one in known.claimed)
        remembered = Coverage((*claimed, *(one.network for one in known.inherited)))
        new = [one for one in held if one not in wanted and remembered.covering(one) is None]
        found = tuple(Inherited(network, now.instant) for network in sorted(new, key=str))
    if not known.inherited:
        return found
    present = Coverage(held)
    return found + tuple(
        Inherited(one.network, now.instant)
        if one.network in confirmed
        else replace(one, since=min(one.since, now.instant), runs=one.runs + now.counts)
        for one in known.inherited
        if one.network not in wanted and (gone or present.covering(one.network) is not None)
    )


def confirmed_by(decisions: Iterable[Decision]) -> frozenset[Network]:
    """The networks in answers that only a guard on new ones keeps out.

    A host that holds one keeps it by such an answer. One that held it before the state was lost
    only looks new: the entry's time starts anew with each such answer.
    """
    return frozenset(
        network_of(rejected.address, one.host)
        for one in decisions
        for judged in one.judged
        for rejected in judged.rejected
        if rejected.tenable
    )


def closed(decisions: Iterable[Decision]) -> frozenset[Network]:
    """The known networks of hosts whose access ended.

    An entry of exactly that network is explained, though its host is not remembered: a lost state
    extends no `until`.
    """
    found: set[Network] = set()
    for one in decisions:
        if one.ended:
            tracks = one.memory.tracks.values()
            held = (had.address for track in tracks for had in track.held)
            found.update(network_of(address, one.host) for address in held)
            found.update(one.host.networks, *(networks for _, networks in one.host.published))
    return frozenset(found)


def still_protected(
    inherited: Sequence[Inherited], decisions: Iterable[Decision], now: Now
) -> frozenset[Network]:
    """The inherited entries whose time is not over."""
    if not inherited:
        return frozenset()
    keep, runs = _patience([one for one in decisions if not one.ended])
    return frozenset(
        one.network
        for one in inherited
        if not (now.counts and one.runs > max(runs, 1) and now.passed(one.since) >= keep)
    )


def _is_silent(one: Decision) -> bool:
    """Whether some question of a host is unanswered now, whatever is left of its former state.

    NXDOMAIN about a name that has an address of the other family is no answer (RFC 8020, RFC 4074).
    """
    if any(grant.basis is Basis.STALE for grant in one.grants):
        return True
    tracks = one.memory.tracks
    there = {query.hostname for query, track in tracks.items() if track.held and not track.reason}
    return any(
        track.unavailable_runs or (query.hostname in there and track.reason == "NXDOMAIN")
        for query, track in tracks.items()
    )


def _patience(decisions: list[Decision]) -> tuple[timedelta, int]:
    """The time, and the number of runs, for which an entry that may be any of these hosts' is kept.

    An unanswered question gets the time of an outage; a host without any address that of an
    absence; and where every host is found, the entry gets the time of a replaced address.
    """
    keeps = [(timedelta(0), 0)]
    for one in decisions:
        policy = one.host.policy
        keeps.append((policy.keep_replaced, policy.replaced_runs))
        if one.unheard or _is_silent(one):
            keeps.append((policy.keep_unavailable, 1))
        elif not one.grants:
            keeps.append((policy.keep_absent, policy.absent_runs))
    return max(keep for keep, _ in keeps), max(runs for _, runs in keeps)
