"""answer + what we knew + policy + now → grants. Pure.

    answer        held addresses in it   held addresses not in it            no history
    Found         fresh                  replaced, until `keep_replaced`      fresh
    Absent        -                      stale, until `keep_absent`           nothing to grant
    Unavailable   -                      stale, until `keep_unavailable`      undecided
    not asked     -                      stale, for ever                      undecided

A clock runs out only when its time has passed *and* enough runs have agreed, and never in a run
whose wall clock jumped. `until` and the configuration end access at once, whatever the DNS says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, assert_never

from allowsync.answers import Absent, Answer, Found, Unavailable
from allowsync.believe import Judged, judge
from allowsync.memory import Clock, Held, HostMemory, Track
from allowsync.model import Address, Basis, Family, Grant, Host, Network, Query, by_network
from allowsync.special import rejection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

# A name that gave no usable answer is not given up in a single run, however long ago the last good
# answer is: the machine may just have woken up before its network.
UNAVAILABLE_RUNS = 2


@dataclass(frozen=True, slots=True)
class Now:
    """The instant of a run, and whether clocks may run out at it."""

    instant: datetime
    clock: Clock = Clock.STEADY

    @property
    def counts(self) -> bool:
        """Whether this run may advance and end clocks."""
        return self.clock is Clock.STEADY


@dataclass(frozen=True, slots=True)
class Move:
    """A name gave a network it did not give before, instead of others."""

    hostname: str
    to: Network
    away_from: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one host may come from now, and what is to be remembered.

    Attributes:
        host: The host decided about.
        judged: What was believed of each answer, in the order of the host's queries.
        grants: Where it may come from, sorted by network.
        memory: What to remember for the next run.
        undecided: It has no grant, and of some question nothing was ever known: it may well have
            access now, and nobody can say.
        unheard: Of some question nothing was ever known.
        ended: Its `until` has passed.
        moves: New networks that took the place of others in this run.
    """

    host: Host
    judged: tuple[Judged, ...] = ()
    grants: tuple[Grant, ...] = ()
    memory: HostMemory = field(default_factory=HostMemory)
    undecided: bool = False
    unheard: bool = False
    ended: bool = False
    moves: tuple[Move, ...] = ()

    @property
    def rests_on_old_knowledge(self) -> bool:
        """Whether some access stands only because of what was known earlier, or is not known."""
        return self.undecided or any(grant.basis is Basis.STALE for grant in self.grants)


def decide(host: Host, answers: Mapping[Query, Answer], memory: HostMemory, now: Now) -> Decision:
    """Decide where a host may come from.

    Args:
        host: The host, with the policy that applies to it.
        answers: What the DNS said. A query that is missing was not asked.
        memory: What was known before this run; tracks of other queries are forgotten.
        now: The instant, and whether it can be trusted.
    """
    if has_ended(host, now.instant):
        return Decision(host, memory=memory, ended=True)
    judged = tuple(
        judge(query, answers[query], host.policy) for query in host.queries if query in answers
    )
    before = _settled_tracks(host, memory, now.instant)
    after = dict(before)
    for one in judged:
        after[one.query] = fold(before[one.query], one, host, now)
    decision = _decision(host, memory, after, now.instant, asked=answers.keys())
    return replace(decision, judged=judged, moves=tuple(_moves(host, before, after, now.instant)))


def recall(host: Host, memory: HostMemory, now: Now) -> Decision:
    """Where a host may come from as far as is known, with each basis as the last run left it."""
    if has_ended(host, now.instant):
        return Decision(host, memory=memory, ended=True)
    tracks = _settled_tracks(host, memory, now.instant)
    return _decision(host, memory, tracks, now.instant, asked=tracks.keys())


def has_ended(host: Host, instant: datetime) -> bool:
    """Whether the host's `until` has passed."""
    return host.until is not None and instant >= host.until


def network_of(address: Address, host: Host) -> Network:
    """The network granted for an address, as wide as the host's prefix for that family."""
    return _network(address.version, int(address), host.prefix(Family.of(address)))


@lru_cache(maxsize=1 << 16)
def _network(version: int, number: int, width: int) -> Network:
    """Asked for several times for every address of a run; making one is slow."""
    if version == 4:
        return IPv4Network((number, width), strict=False)
    return IPv6Network((number, width), strict=False)


def fold(track: Track, judged: Judged, host: Host, now: Now) -> Track:
    """What is known of a question after one more answer to it."""
    match judged.answer:
        case Found() as found:
            return _after_found(track, found, host, now)
        case Absent(reason):
            return _after_absent(track, reason, host, now)
        case Unavailable(reason):
            return _after_unavailable(track, reason, host, now)
        case _:
            assert_never(judged.answer)


def _after_found(track: Track, found: Found, host: Host, now: Now) -> Track:
    held = {network_of(one.address, host): one for one in track.held}
    given = {network_of(address, host): address for address in found.addresses}
    fresh = [
        Held(address, held[network].since if network in held else now.instant, now.instant)
        for network, address in given.items()
    ]
    missed = (_missed(one, now) for network, one in held.items() if network not in given)
    lasting = [one for one in missed if not _replaced_for_good(one, host, now)]
    summary = "found " + " ".join(str(address) for address in found.addresses)
    return Track(_in_order([*fresh, *lasting]), last_found=now.instant, summary=summary)


def _missed(held: Held, now: Now) -> Held:
    since = held.replaced or now.instant
    return replace(held, replaced=since, replaced_runs=held.replaced_runs + now.counts)


def _replaced_for_good(held: Held, host: Host, now: Now) -> bool:
    since = held.replaced or now.instant
    enough = held.replaced_runs >= host.policy.replaced_runs
    return now.counts and enough and now.instant - since >= host.policy.keep_replaced


def _after_absent(track: Track, reason: str, host: Host, now: Now) -> Track:
    since = track.absent_since or now.instant
    runs = track.absent_runs + now.counts
    over = runs >= host.policy.absent_runs and now.instant - since >= host.policy.keep_absent
    return replace(
        track,
        held=() if now.counts and over else track.held,
        absent_since=since,
        absent_runs=runs,
        unavailable_runs=0,
        summary=f"absent {reason}",
        reason=reason,
    )


def _after_unavailable(track: Track, reason: str, host: Host, now: Now) -> Track:
    runs = track.unavailable_runs + now.counts
    last = track.last_found or now.instant
    over = runs >= UNAVAILABLE_RUNS and now.instant - last >= host.policy.keep_unavailable
    return replace(
        track,
        held=() if now.counts and over else track.held,
        absent_runs=0,
        unavailable_runs=runs,
        summary=f"unavailable {reason}",
        reason=reason,
    )


def _decision(
    host: Host,
    memory: HostMemory,
    tracks: Mapping[Query, Track],
    instant: datetime,
    asked: Collection[Query],
) -> Decision:
    fixed = {network: memory.fixed.get(network, instant) for network in host.networks}
    by_net = {
        network: Grant(host.name, network, Basis.FIXED, since, instant, host.until)
        for network, since in fixed.items()
    }
    for query, track in tracks.items():
        for held in track.held:
            grant = _grant(host, query, track, held, instant, asked=query in asked)
            known = by_net.get(grant.network)
            by_net[grant.network] = grant if known is None else _better(known, grant)
    grants = tuple(sorted(by_net.values(), key=lambda grant: by_network(grant.network)))
    unheard = any(not track.known for track in tracks.values())
    return Decision(
        host,
        grants=grants,
        memory=HostMemory(tracks, fixed),
        undecided=unheard and not grants,
        unheard=unheard,
    )


def _settled_tracks(host: Host, memory: HostMemory, instant: datetime) -> dict[Query, Track]:
    return {
        query: _settle(memory.tracks.get(query, Track()), host, instant) for query in host.queries
    }


def _settle(track: Track, host: Host, instant: datetime) -> Track:
    """A remembered track in the light of today's configuration and clock.

    What is on the reject list now is not held any longer, addresses that share a network now are
    one, and nothing lies in the future (the clock may have been put back).
    """
    allowed = (one for one in track.held if not rejection(one.address, host.policy.accept))
    by_net: dict[Network, Held] = {}
    for one in allowed:
        network = network_of(one.address, host)
        by_net[network] = _merge(by_net[network], one) if network in by_net else one
    return replace(
        track,
        held=_in_order(_not_after(one, instant) for one in by_net.values()),
        last_found=_earlier(track.last_found, instant),
        absent_since=_earlier(track.absent_since, instant),
    )


def _merge(one: Held, other: Held) -> Held:
    latest = max(one, other, key=lambda held: (held.replaced is None, held.confirmed))
    return replace(latest, since=min(one.since, other.since))


def _not_after(held: Held, instant: datetime) -> Held:
    if max(held.since, held.confirmed, held.replaced or held.confirmed) <= instant:
        return held
    return replace(
        held,
        since=min(held.since, instant),
        confirmed=min(held.confirmed, instant),
        replaced=_earlier(held.replaced, instant),
    )


def _earlier(remembered: datetime | None, instant: datetime) -> datetime | None:
    return None if remembered is None else min(remembered, instant)


def _in_order(held: Iterable[Held]) -> tuple[Held, ...]:
    return tuple(sorted(held, key=lambda one: int(one.address)))


def _grant(
    host: Host, query: Query, track: Track, held: Held, instant: datetime, *, asked: bool
) -> Grant:
    basis, ends = _basis(track, held, host, instant, asked=asked)
    ends = min((end for end in (ends, host.until) if end is not None), default=None)
    why = track.reason if basis is Basis.STALE else ""
    network = network_of(held.address, host)
    return Grant(host.name, network, basis, held.since, held.confirmed, ends, query.hostname, why)


def _basis(
    track: Track, held: Held, host: Host, instant: datetime, *, asked: bool
) -> tuple[Basis, datetime | None]:
    """What a held address rests on, and when its clock runs out at the earliest."""
    if asked and not track.reason:
        if held.replaced is None:
            return Basis.FRESH, None
        return Basis.REPLACED, max(instant, held.replaced + host.policy.keep_replaced)
    if track.absent_runs and track.absent_since is not None:
        return Basis.STALE, max(instant, track.absent_since + host.policy.keep_absent)
    confirmed = track.last_found or held.confirmed
    return Basis.STALE, max(instant, confirmed + host.policy.keep_unavailable)


_STRENGTH = (Basis.FIXED, Basis.FRESH, Basis.STALE, Basis.REPLACED)


def _better(one: Grant, other: Grant) -> Grant:
    """The grant that rests on more, since the earlier of both."""
    best = min(one, other, key=lambda grant: _STRENGTH.index(grant.basis))
    return replace(best, since=min(one.since, other.since))


def _moves(
    host: Host, before: Mapping[Query, Track], after: Mapping[Query, Track], instant: datetime
) -> Iterable[Move]:
    for query, track in after.items():
        if all(one.since != instant for one in track.held):
            continue  # nothing came
        held = {network_of(one.address, host) for one in before[query].held}
        given = {network_of(one.address, host) for one in track.held if one.replaced is None}
        left = tuple(
            network_of(one.address, host)
            for one in before[query].held
            if one.replaced is None and network_of(one.address, host) not in given
        )
        if left:
            yield from (
                Move(query.hostname, to, left) for to in sorted(given - held, key=by_network)
            )


def union(decisions: Iterable[Decision]) -> dict[Network, tuple[str, ...]]:
    """Who wants which network, over several hosts, labels sorted."""
    wanted: dict[Network, set[str]] = {}
    for decision in decisions:
        for grant in decision.grants:
            wanted.setdefault(grant.network, set()).add(grant.host)
    return {network: tuple(sorted(labels)) for network, labels in wanted.items()}
