"""answer + memory + policy + now → grants. Pure.

    answer        held addresses in it   held addresses not in it            no history
    Found         fresh                  replaced, until `keep_replaced`      fresh
    Absent        -                      stale, until `keep_absent`           nothing to grant
    Unavailable   -                      stale, until `keep_unavailable`      undecided
    not asked     -                      stale, for ever                      undecided

A clock runs out only when its time has passed *and* enough runs have agreed, and never in a run
whose wall clock jumped. `until` and the configuration end access at once, whatever the DNS says.
"""

from __future__ import annotations

from datetime import timedelta

from allowsync.model.answer import Absent, Found
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.networks import touching
from allowsync.model.special_purpose import rejection
from allowsync.model.types import Basis, Grant, Host, Network, Query, by_network
from allowsync.model.value import Value, field, replace
from allowsync.policy.screening import ScreenedAnswer, judge, network_of
from allowsync.policy.tracking import (
    NOTHING_KNOWN,
    came,
    dormant_tracks,
    former_tracks,
    given_again,
    has_more,
    latched,
    none_as_ever,
    only_held,
    revoke,
    settled_tracks,
    shut_former,
)
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.model.answer import Answer
    from allowsync.policy.clock import Now


class Move(Value):
    """A name that gave a new network in place of others."""

    hostname: str
    to: Network
    away_from: tuple[Network, ...]


class Decision(Value):
    """The grants of one host now, and its next memory.

    Attributes:
        host: The host decided about.
        judged: The screened answers, in the order of the host's queries.
        grants: Its grants, sorted by network.
        memory: The memory for the next run.
        undecided: It has no grant, and some question was never answered: whether it has access now
            is unknown. It is known where a former name was answered, and its time is over.
        unheard: Some question, or some source of networks, was never answered.
        ended: Its `until` has passed, or it was revoked.
        moves: New networks that took the place of others in this run.
        refuted: Networks that were granted and are refuted.
    """

    host: Host
    judged: tuple[ScreenedAnswer, ...] = ()
    grants: tuple[Grant, ...] = ()
    memory: HostMemory = field(default_factory=HostMemory)
    undecided: bool = False
    unheard: bool = False
    ended: bool = False
    moves: tuple[Move, ...] = ()
    refuted: frozenset[Network] = frozenset()

    @property
    def rests_on_old_knowledge(self) -> bool:
        """Whether some access rests on an earlier answer alone, or is unknown."""
        if self.undecided or (self.host.sources and not self.ended):
            return True
        bases = [grant.basis for grant in self.grants]
        if Basis.STALE in bases or Basis.FORMER in bases:
            return True
        return not bases and bool(self.held_back)

    @property
    def ending(self) -> str:
        """The reason for the end of its access, as text; empty where it has not ended."""
        if not self.ended:
            return ""
        if self.host.revoked is not None:
            return f"revoked on {self.host.revoked:%Y-%m-%d %H:%M} UTC"
        until = self.host.until
        return "access ended" if until is None else f"access ended on {until:%Y-%m-%d %H:%M} UTC"

    @property
    def held_back(self) -> tuple[tuple[str, str], ...]:
        """The hostname and the reason for each address that guards rejected in the last answers."""
        tracks = self.memory.tracks.items()
        return tuple((query.hostname, one) for query, track in tracks for one in track.held_back)

    @property
    def latched(self) -> tuple[str, ...]:
        """The hostnames pending approval, in configured order."""
        if self.ended:
            return ()
        names = dict.fromkeys(query.hostname for query in self.memory.tracks)
        return tuple(name for name in names if latched(self.memory.tracks, name))


def decide(host: Host, answers: Mapping[Query, Answer], memory: HostMemory, now: Now) -> Decision:
    """Decide a host's grants, without guards.

    Args:
        host: The host, with the policy that applies to it.
        answers: The DNS answers. A missing query was not asked.
        memory: The memory before this run.
        now: The instant, and its reliability.
    """
    return conclude(host, judgements(host, answers), memory, now)


def judgements(
    host: Host, answers: Mapping[Query, Answer], edge: tuple[Network, ...] = ()
) -> tuple[ScreenedAnswer, ...]:
    """The screened answers to a host's queries, in their order."""
    return tuple(
        judge(query, answers[query], host, edge) for query in host.queries if query in answers
    )


def unmoved(
    host: Host,
    answers: Mapping[Query, Answer],
    memory: HostMemory,
    now: Now,
    edge: tuple[Network, ...] = (),
) -> Decision | None:
    """The decision about a host whose answers equal its held addresses and nothing else counts.

    This is the case of nearly every host in nearly every run: only the time of its last answer is
    new. `conclude` gives the same result at greater cost.

    Returns:
        The decision where each question gave one held address, in a network of its own, or none as
        before; None in every other case.
    """
    tracks, queries, instant = memory.tracks, host.queries, now.instant
    if len(tracks) != len(queries) or has_more(host) or has_ended(host, now):
        return None
    if memory.former or memory.fixed:
        return None
    accept, until = host.policy.accept, host.until
    judged, grants, after = [], {}, {}
    for query in queries:
        answer, track = answers.get(query), tracks.get(query, NOTHING_KNOWN)
        held = only_held(track, instant)
        if held and isinstance(answer, Found) and answer.addresses == (held.address,):
            network = network_of(held.address, host)
            if network in grants or rejection(network, accept, edge):
                return None
            grants[network] = Grant(
                host.name, network, Basis.FRESH, held.since, instant, until, query.hostname
            )
            after[query] = given_again(held, instant, track.summary)
        elif isinstance(answer, Absent) and none_as_ever(track, answer.reason, host, now):
            after[query] = track
        else:
            return None
        judged.append(ScreenedAnswer(query, answer))
    known = HostMemory(after, memory.fixed, memory.arrivals, memory.former)
    return Decision(host, tuple(judged), tuple(sorted(grants.values(), key=_place)), known)


def conclude(
    host: Host,
    judged: tuple[ScreenedAnswer, ...],
    memory: HostMemory,
    now: Now,
    refuted: Mapping[str, frozenset[Network]] | None = None,
    contested: Mapping[Query, frozenset[Network]] | None = None,
) -> Decision:
    """Decide a host's grants by its screened answers.

    Args:
        host: The host, with the policy that applies to it.
        judged: The screened answers. A missing query was not asked.
        memory: The memory before this run.
        now: The instant, and its reliability.
        refuted: By hostname, networks that were granted and are refuted.
        contested: By question, held networks that too few nameservers omitted from the answer.
    """
    if has_ended(host, now):
        return _over(host, memory)
    gone = refuted or {}
    own = _of_names(gone, host.hostnames)
    from allowsync.policy.fold import arrivals, fold

    unclear = contested or {}
    before = settled_tracks(host, memory, now)
    if own:
        before = {query: revoke(track, own, host) for query, track in before.items()}
    after = dict(before)
    for one in judged:
        track = fold(before[one.query], one, host, now, unclear.get(one.query, ()))
        if before[one.query].latched and not track.latched and latched(before, one.query.hostname):
            track = replace(track, latched=True)
        after[one.query] = track
    lately = arrivals(host, memory, before, after, now)
    if lately is not memory.arrivals:
        memory = replace(memory, arrivals=lately)
    moves = tuple(_moves(host, before, after, now.instant))
    return _decision(host, memory, after, now, judged=judged, moves=moves, refuted=gone)


def _of_names(
    refuted: Mapping[str, frozenset[Network]], hostnames: Iterable[str]
) -> frozenset[Network]:
    nothing: frozenset[Network] = frozenset()
    if not refuted:
        return nothing
    return nothing.union(*(refuted.get(name, nothing) for name in hostnames))


def recall(host: Host, memory: HostMemory, now: Now) -> Decision:
    """The decision without new answers, with each basis as the last run left it."""
    if has_ended(host, now):
        return _over(host, memory)
    return _decision(host, memory, settled_tracks(host, memory, now), now)


def _over(host: Host, memory: HostMemory) -> Decision:
    """The decision after the end of access, without addresses of names that were edited away."""
    own = {
        query: track for query, track in memory.tracks.items() if query.hostname in host.hostnames
    }
    if memory.former or len(own) < len(memory.tracks):
        former = shut_former(host, {**memory.former, **memory.tracks})
        memory = replace(memory, tracks=own, former=former)
    return Decision(host, memory=memory, ended=True)


def has_ended(host: Host, now: Now) -> bool:
    """Whether the host's `until` has come, or it was revoked."""
    if host.revoked is not None:
        return True
    return host.until is not None and now.reaches(host.until)


def _decision(
    host: Host,
    memory: HostMemory,
    tracks: Mapping[Query, RetentionState],
    now: Now,
    *,
    judged: tuple[ScreenedAnswer, ...] | None = None,
    moves: tuple[Move, ...] = (),
    refuted: Mapping[str, frozenset[Network]] | None = None,
) -> Decision:
    """The decision that follows from tracks. Without answers, each basis is unchanged."""
    fixed = _fixed(host, memory, now)
    by_net = {grant.network: grant for grant in fixed}
    former = former_tracks(host, memory, tracks, now, refuted or {})
    asked = tracks.keys() if judged is None else {one.query for one in judged}
    grants = [
        _grant(host, query, track, held, now, asked=query in asked)
        for query, track in tracks.items()
        for held in track.held
    ]
    grants += [
        _former_grant(host, query, track, held, now)
        for query, track in former.items()
        for held in track.held
    ]
    for grant in grants:
        other = by_net.setdefault(grant.network, grant)
        if other is not grant:
            by_net[grant.network] = _better(other, grant)
    if taken := touching(by_net, host.revoked_networks):
        by_net = {network: grant for network, grant in by_net.items() if network not in taken}
    sorted_grants = tuple(sorted(by_net.values(), key=_place))
    unheard = bool(host.sources) or any(not track.known for track in tracks.values())
    after = dormant_tracks(host, memory, now)
    after.update(tracks)
    since = {grant.network: grant.since for grant in fixed}
    names = {*host.hostnames, *(query.hostname for query in former)}
    return Decision(
        host,
        judged or (),
        sorted_grants,
        HostMemory(after, since, memory.arrivals, former),
        undecided=unheard and not sorted_grants and all(one.held for one in former.values()),
        unheard=unheard,
        moves=moves,
        refuted=_of_names(refuted or {}, names).difference(by_net) | taken,
    )


def _place(grant: Grant) -> tuple[int, int, int]:
    return by_network(grant.network)


def _fixed(host: Host, memory: HostMemory, now: Now) -> list[Grant]:
    """The grants of fixed networks, with the publisher of those not in the configuration."""
    if not (host.networks or host.published):
        return []
    whose = {
        network: f"published by {name}" for name, networks in host.published for network in networks
    }
    whose.update(dict.fromkeys(host.networks, ""))
    basis, instant = Basis.GRANTED if host.granted else Basis.FIXED, now.instant
    return [
        Grant(
            host.name, network, basis, memory.fixed.get(network, instant), instant, host.until,
            why=why,
        )
        for network, why in whose.items()
    ]  # fmt: skip


def _grant(
    host: Host, query: Query, track: RetentionState, held: HeldAddress, now: Now, *, asked: bool
) -> Grant:
    basis, left = _basis(track, held, host, now, asked=asked)
    ends = None if left is None else now.instant + max(left, timedelta(0))
    why = track.reason if basis is Basis.STALE else ""
    return _granted(host, query, held, basis, ends, why)


def _former_grant(
    host: Host, query: Query, track: RetentionState, held: HeldAddress, now: Now
) -> Grant:
    confirmed = track.last_found or held.confirmed
    left = host.policy.keep_unavailable - now.passed(confirmed)
    ends = now.instant + max(left, timedelta(0))
    why = f"given by the former name {query.hostname}"
    return _granted(host, query, held, Basis.FORMER, ends, why)


def _granted(
    host: Host, query: Query, held: HeldAddress, basis: Basis, ends: datetime | None, why: str
) -> Grant:
    until = host.until
    first = until if ends is None else ends if until is None else min(ends, until)
    network = network_of(held.address, host)
    return Grant(host.name, network, basis, held.since, held.confirmed, first, query.hostname, why)


def _basis(
    track: RetentionState, held: HeldAddress, host: Host, now: Now, *, asked: bool
) -> tuple[Basis, timedelta | None]:
    """The basis of a held address, and the time until its clock can expire."""
    if asked and not track.reason:
        if held.replaced is None:
            return Basis.FRESH, None
        return Basis.REPLACED, host.policy.keep_replaced - now.passed(held.replaced)
    if track.absent_runs and track.absent_since is not None:
        return Basis.STALE, host.policy.keep_absent - now.passed(track.absent_since)
    confirmed = track.last_found or held.confirmed
    return Basis.STALE, host.policy.keep_unavailable - now.passed(confirmed)


_STRENGTH = (Basis.FIXED, Basis.GRANTED, Basis.FRESH, Basis.STALE, Basis.FORMER, Basis.REPLACED)


def _better(one: Grant, other: Grant) -> Grant:
    """The grant with the stronger basis, since the earlier of both."""
    best = min(one, other, key=lambda grant: _STRENGTH.index(grant.basis))
    return replace(best, since=min(one.since, other.since))


def _moves(
    host: Host,
    before: Mapping[Query, RetentionState],
    after: Mapping[Query, RetentionState],
    instant: datetime,
) -> Iterable[Move]:
    for query, track in after.items():
        if not came(track, instant):
            continue
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
