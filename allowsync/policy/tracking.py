"""Retention state of a question over runs: its host, its validity, the latch. Pure.

`allowsync.policy.fold` applies one more answer to it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from allowsync.model.answer import Absent
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.special_purpose import rejection
from allowsync.model.value import replace
from allowsync.policy.clock import LONGEST_GAP
from allowsync.policy.screening import network_of
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from allowsync.model.answer import Answer
    from allowsync.model.types import Host, Network, Query
    from allowsync.policy.clock import Now

NOTHING_KNOWN = RetentionState()  # one for all: values are frozen
ONE_DAY = timedelta(days=1)
NEVER = datetime.min.replace(tzinfo=UTC)


def settled_tracks(host: Host, memory: HostMemory, now: Now) -> dict[Query, RetentionState]:
    """The states of a host's queries, adjusted to today's configuration and clock."""
    known = memory.tracks
    return {query: _settle(known.get(query, NOTHING_KNOWN), host, now) for query in host.queries}


def former_tracks(
    host: Host,
    memory: HostMemory,
    tracks: Mapping[Query, RetentionState],
    now: Now,
    refuted: Mapping[str, Collection[Network]] | None = None,
) -> dict[Query, RetentionState]:
    """The states of hostnames that were edited away, while they still count.

    They count until one of today's names gives its first accepted answer, or `keep_unavailable` is
    over; then they are remembered without addresses until that answer, so that the host is known
    to have none. A family that is asked no more ends with the configuration. A name with a refuted
    network is remembered as that, for the targets that were not reached since; one that needs an
    approval is remembered too, for it may be edited back.

    Args:
        host: The host as it is configured now.
        memory: The memory before the run.
        tracks: The present states of its queries.
        now: The instant of the run.
        refuted: By hostname, networks that were granted and are refuted.
    """
    if not memory.former and memory.tracks.keys() <= tracks.keys():
        return {}  # nothing was edited
    edited = {
        query: track
        for query, track in {**memory.former, **memory.tracks, **tracks}.items()
        if query.hostname not in host.hostnames and query.family in host.families
    }
    settled = {query: _settle(track, host, now) for query, track in edited.items()}
    shut = shut_former(host, settled)
    known = {query.hostname for query in host.queries if _was_found(tracks.get(query))}
    if known.issuperset(host.hostnames):
        return shut
    gone = refuted or {}
    return shut | {
        query: _ended(track)
        if track.held and now.counts and _silent_for_good(track, host, now)
        else revoke(settled[query], gone.get(query.hostname, ()), host)
        for query, track in edited.items()
        if _was_found(track) or track.held or query.hostname in gone
    }


def _ended(track: RetentionState) -> RetentionState:
    """The state of a former name that does not count any more: known, and without addresses."""
    return replace(track, held=(), past=())


def shut_former(host: Host, known: Mapping[Query, RetentionState]) -> dict[Query, RetentionState]:
    """The states of names that were edited away and need an approval, without their addresses."""
    return {
        query: _ended(track)
        for query, track in known.items()
        if query.hostname not in host.hostnames and latched(known, query.hostname)
    }


def dormant_tracks(host: Host, memory: HostMemory, now: Now) -> dict[Query, RetentionState]:
    """The states of a family that is not asked for now; it grants nothing meanwhile."""
    if all(query.family in host.families for query in memory.tracks):
        return {}
    return {
        query: still_lasting(track, host, now)
        for query, track in memory.tracks.items()
        if query.hostname in host.hostnames and query.family not in host.families
    }


def by_label(
    hosts: Sequence[Host], memories: Mapping[str, HostMemory]
) -> dict[str, HostMemory] | None:
    """The memory of each host by label, where each of its queries has a known state.

    None where one has not: the state may be remembered under another label (see
    `allowsync.policy.inheritance`).
    """
    if any(lacks_known(host, memories.get(host.name)) for host in hosts):
        return None
    return {host.name: memories.get(host.name) or HostMemory() for host in hosts}


def lacks_known(host: Host, memory: HostMemory | None) -> bool:
    """Whether some query of a host has no known state yet."""
    tracks = {} if memory is None else memory.tracks
    return any(not tracks.get(query, NOTHING_KNOWN).known for query in host.queries)


def renamed(hosts: Iterable[Host], memories: Mapping[str, HostMemory]) -> dict[str, str]:
    """The present label of each renamed host, by its former label; hostnames identify it."""
    own = {host.name: host.hostnames for host in hosts}
    present = {name: label for label, names in own.items() for name in names}
    found: dict[str, str] = {}
    for label, memory in memories.items():
        known = {query.hostname for query in (*memory.tracks, *memory.former)}
        if known.isdisjoint(own.get(label, ())):
            new = [present[name] for name in sorted(known) if name in present]
            found.update({label: new[0]} if new else {})
    return found


def last_heard(track: RetentionState) -> datetime:
    """The time of the last usable answer to a question."""
    heard = [at for at in (track.last_found, track.absent_since) if at is not None]
    return max(heard, default=NEVER)


def lasting(memory: HostMemory, host: Host, now: Now) -> HostMemory:
    """A host's memory from before a pause without runs, without expired states."""
    tracks = {query: still_lasting(one, host, now) for query, one in memory.tracks.items()}
    return replace(memory, tracks=tracks)


def last_known(memory: HostMemory) -> datetime:
    """The time of the last usable answer about a host."""
    return max(map(last_heard, memory.tracks.values()), default=NEVER)


def still_lasting(track: RetentionState, host: Host, now: Now) -> RetentionState:
    """A state from before a pause without runs, without expired addresses."""
    if track.held and _silent_for_good(track, host, now):
        return replace(track, held=(), past=())
    return track


def _was_found(track: RetentionState | None) -> bool:
    return track is not None and track.last_found is not None


def _silent_for_good(track: RetentionState, host: Host, now: Now) -> bool:
    last = track.last_found or max(one.confirmed for one in track.held)
    return now.passed(last) >= host.policy.keep_unavailable


def _settle(track: RetentionState, host: Host, now: Now) -> RetentionState:
    """A remembered state adjusted to today's configuration and clock.

    Addresses on the reject list now are not held any longer, addresses that share a network now are
    one, and nothing lies in the future (the clock may have been put back).
    """
    instant = now.instant
    if _stands(track, host, instant):
        return track
    allowed = (one for one in track.held if not _rejected(one, host))
    by_net: dict[Network, HeldAddress] = {}
    for one in allowed:
        network = network_of(one.address, host)
        by_net[network] = _merge(by_net[network], one) if network in by_net else one
    return replace(
        track,
        held=in_order(_not_after(one, instant) for one in by_net.values()),
        last_found=_earlier(track.last_found, instant),
        absent_since=_earlier(track.absent_since, instant),
        latched=track.latched or _absent_for_long(track, host, now),
        past=tuple(one for one in track.past if not _past_for_good(one, host, now)),
    )


def has_more(host: Host) -> bool:
    """Whether a host has other sources of networks than answers, or revoked networks."""
    return bool(host.networks or host.published or host.sources or host.revoked_networks)


def only_held(track: RetentionState, instant: datetime) -> HeldAddress | None:
    """The one address held by a question, if there is no problem and no time in the future.

    It has been held since an earlier run.
    """
    if len(track.held) != 1 or track.reason or track.past or track.held_back:
        return None
    (held,) = track.held
    if track.absent_since is not None or track.absent_runs or track.unavailable_runs:
        return None
    if track.latched or held.replaced is not None or held.replaced_runs:
        return None
    if track.summary != f"found {held.address}":
        return None
    last = track.last_found
    past = last is not None and last <= instant and held.confirmed <= instant
    return held if past and held.since < instant else None


def long_held(held: HeldAddress, host: Host, now: Now) -> bool:
    """Whether runs before this one confirmed an address for longer than the guards' window.

    One that came just before a machine slept for a day does not count as longer known.
    """
    window = host.policy.guard_window
    age = now.passed(held.since)
    return age >= window and age - now.passed(held.confirmed) >= window


def given_again(
    held: HeldAddress, instant: datetime, summary: str, past: tuple[HeldAddress, ...] = ()
) -> RetentionState:
    """The state of a question whose answer was its one held address."""
    same = HeldAddress(held.address, held.since, instant)
    return RetentionState((same,), last_found=instant, summary=summary, past=past)


def unproven(answer: Answer, track: RetentionState) -> bool:
    """Whether an absence needs agreement before it counts.

    An absence already agreed upon, of a name without a held address, changes nothing.
    """
    return isinstance(answer, Absent) and not (track.absent_runs and not track.held)


def never_gave(track: RetentionState, reason: str) -> bool:
    """Whether a name never gave an address, and the run before proved that for the same reason.

    The number of proofs counts towards the end of held addresses. Here nothing can end, and the
    state does not change from run to run: as of the IPv6 of a home that has none.
    """
    if track.last_found is not None or track.held:
        return False
    return track.absent_runs > 0 and track.summary == f"absent {reason}"


def none_as_ever(track: RetentionState, reason: str, host: Host, now: Now) -> bool:
    """Whether `never_gave` holds, nothing else is recorded, and no time is over or to come."""
    since = track.absent_since
    if since is None or since > now.instant or track.past or track.held_back:
        return False
    due = not track.latched and _absent_for_long(track, host, now)
    return never_gave(track, reason) and not due


def _stands(track: RetentionState, host: Host, instant: datetime) -> bool:
    """Whether a state needs no settling: the usual case of one good address, checked cheaply."""
    if len(track.held) != 1 or track.past:
        return False
    if track.absent_since is not None or track.last_found is None:
        return False
    (held,) = track.held
    if held.since > instant or held.confirmed > instant or track.last_found > instant:
        return False
    return (held.replaced or instant) <= instant and not _rejected(held, host)


def _rejected(held: HeldAddress, host: Host) -> bool:
    return bool(rejection(network_of(held.address, host), host.policy.accept))


def _past_for_good(held: HeldAddress, host: Host, now: Now) -> bool:
    kept = host.policy.guard_window + LONGEST_GAP  # the lifetime of evidence about its successor
    return now.passed(held.replaced or held.confirmed) >= kept


def _absent_for_long(track: RetentionState, host: Host, now: Now) -> bool:
    """Whether the last answers proved an absence older than `latch_absent`."""
    if not track.absent_runs or track.absent_since is None:
        return False
    return now.passed(track.absent_since) > host.policy.latch_absent


def _merge(one: HeldAddress, other: HeldAddress) -> HeldAddress:
    latest = max(one, other, key=lambda held: (held.replaced is None, held.confirmed))
    return replace(latest, since=min(one.since, other.since))


def _not_after(held: HeldAddress, instant: datetime) -> HeldAddress:
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


def in_order(held: Iterable[HeldAddress]) -> tuple[HeldAddress, ...]:
    """Addresses in the order in which they are kept."""
    return tuple(sorted(held, key=lambda one: int(one.address)))


def revoke(track: RetentionState, networks: Collection[Network], host: Host) -> RetentionState:
    """A state without refuted networks, and with the addresses held before them."""
    left = [one for one in track.held if network_of(one.address, host) not in networks]
    if len(left) == len(track.held):
        return track
    back = {network_of(one.address, host): one for one in (*track.past, *left)}
    held = in_order(
        replace(one, replaced=None, replaced_runs=0)
        for network, one in back.items()
        if network not in networks
    )
    return replace(
        track,
        held=held,
        past=(),
        last_found=max((one.confirmed for one in held), default=None),
    )


def latched(tracks: Mapping[Query, RetentionState], hostname: str) -> bool:
    """Whether a name was absent for too long, and no other family shows that it exists.

    A family with an address does, or one that was found after the absence began: a name that
    never had an IPv6 address is not gone when its IPv4 address is silent for days. A family that
    was asked for the first time, and rejected, says nothing about the name.
    """
    mine = [track for query, track in tracks.items() if query.hostname == hostname]
    shut = [track for track in mine if track.latched]
    if not shut:
        return False
    since = max((one.absent_since for one in shut if one.absent_since is not None), default=None)
    return not any(track.held or _found_after(track, since) for track in mine if not track.latched)


def _found_after(track: RetentionState, since: datetime | None) -> bool:
    return since is not None and track.last_found is not None and track.last_found > since


def held_by(track: RetentionState, host: Host) -> set[Network]:
    """The networks that a host holds by one question."""
    return {network_of(one.address, host) for one in track.held}


def recent(arrivals: Mapping[Network, datetime], now: Now) -> dict[Network, datetime]:
    """The arrivals within the last day; nothing lies in the future."""
    return {
        network: min(at, now.instant)
        for network, at in arrivals.items()
        if now.passed(at) < ONE_DAY
    }


def came(track: RetentionState, instant: datetime) -> bool:
    """Whether a held network arrived at an instant."""
    return instant in [one.since for one in track.held]
