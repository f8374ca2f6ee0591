"""What is known of a question, run after run: whose it is, what still counts, the latch. Pure.

What one more answer makes of it is in `allowsync.policy.fold`.
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
    """What is remembered of a host's queries, in the light of today's configuration and clock."""
    known = memory.tracks
    return {query: _settle(known.get(query, NOTHING_KNOWN), host, now) for query in host.queries}


def former_tracks(
    host: Host,
    memory: HostMemory,
    tracks: Mapping[Query, RetentionState],
    now: Now,
    refuted: Mapping[str, Collection[Network]] | None = None,
) -> dict[Query, RetentionState]:
    """What is remembered of hostnames that were edited away, while it still counts.

    It counts until a name of today's gives its first believed answer, or `keep_unavailable` is
    over. A family that is asked no more ends with the configuration. A name of which something is
    believed no longer is remembered as that, for the targets that were not reached since.

    Args:
        host: The host as it is configured now.
        memory: What was known before the run.
        tracks: What is known of its queries now.
        now: The instant of the run.
        refuted: By hostname, networks that were granted and are believed no longer.
    """
    if not memory.former and memory.tracks.keys() <= tracks.keys():
        return {}  # nothing was edited
    known = {query.hostname for query in host.queries if _was_found(tracks.get(query))}
    if known.issuperset(host.hostnames):
        return {}
    gone = refuted or {}
    candidates = {
        query: track
        for query, track in {**memory.former, **memory.tracks, **tracks}.items()
        if query.hostname not in host.hostnames
        and query.family in host.families
        and (track.held or query.hostname in gone)
    }
    return {
        query: revoke(_settle(track, host, now), gone.get(query.hostname, ()), host)
        for query, track in candidates.items()
        if not (track.held and now.counts and _silent_for_good(track, host, now))
    }


def dormant_tracks(host: Host, memory: HostMemory, now: Now) -> dict[Query, RetentionState]:
    """What is remembered of a family that is not asked for now; it grants nothing meanwhile."""
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
    """What is remembered of each host, where something is known of each of its queries.

    None where that is not so: what is known may be remembered under another label (see
    `allowsync.policy.inheritance`).
    """
    if any(lacks_known(host, memories.get(host.name)) for host in hosts):
        return None
    return {host.name: memories.get(host.name) or HostMemory() for host in hosts}


def lacks_known(host: Host, memory: HostMemory | None) -> bool:
    """Whether nothing is known yet of some query of a host."""
    tracks = {} if memory is None else memory.tracks
    return any(not tracks.get(query, NOTHING_KNOWN).known for query in host.queries)


def renamed(hosts: Iterable[Host], memories: Mapping[str, HostMemory]) -> dict[str, str]:
    """The label that a host has now, by one that it had: the hostnames tell that it is the same."""
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
    """When anything was heard of a question last."""
    heard = [at for at in (track.last_found, track.absent_since) if at is not None]
    return max(heard, default=NEVER)


def lasting(memory: HostMemory, host: Host, now: Now) -> HostMemory:
    """What is remembered of a host that no run looked after: without what is over by now."""
    tracks = {query: still_lasting(one, host, now) for query, one in memory.tracks.items()}
    return replace(memory, tracks=tracks)


def last_known(memory: HostMemory) -> datetime:
    """When anything was heard of a host last."""
    return max(map(last_heard, memory.tracks.values()), default=NEVER)


def still_lasting(track: RetentionState, host: Host, now: Now) -> RetentionState:
    """A track that no run looked after: without what it would not hold any more."""
    if track.held and _silent_for_good(track, host, now):
        return replace(track, held=(), past=())
    return track


def _was_found(track: RetentionState | None) -> bool:
    return track is not None and track.last_found is not None


def _silent_for_good(track: RetentionState, host: Host, now: Now) -> bool:
    last = track.last_found or max(one.confirmed for one in track.held)
    return now.passed(last) >= host.policy.keep_unavailable


def _settle(track: RetentionState, host: Host, now: Now) -> RetentionState:
    """A remembered track in the light of today's configuration and clock.

    What is on the reject list now is not held any longer, addresses that share a network now are
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
    """Whether anything but answers tells where a host may come from."""
    return bool(host.networks or host.published or host.sources or host.revoked_networks)


def only_held(track: RetentionState, instant: datetime) -> HeldAddress | None:
    """The one address that is held by a question, if nothing was amiss and no time has yet to come.

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

    One that came just before a machine slept for a day is not known for longer than that.
    """
    window = host.policy.guard_window
    age = now.passed(held.since)
    return age >= window and age - now.passed(held.confirmed) >= window


def given_again(
    held: HeldAddress, instant: datetime, summary: str, past: tuple[HeldAddress, ...] = ()
) -> RetentionState:
    """What is known of a question whose answer was the one address that is held."""
    same = HeldAddress(held.address, held.since, instant)
    return RetentionState((same,), last_found=instant, summary=summary, past=past)


def unproven(answer: Answer, track: RetentionState) -> bool:
    """Whether an absence has to be agreed upon before it counts.

    One that was agreed upon already, of a name by which nothing is held, changes nothing.
    """
    return isinstance(answer, Absent) and not (track.absent_runs and not track.held)


def never_gave(track: RetentionState, reason: str) -> bool:
    """Whether no address was ever given, which was proven in the run before for the same reason.

    How often it was proven counts towards the end of what is held. Here nothing can end, and what
    is known stays the same from run to run: as of the IPv6 of a home that has none.
    """
    if track.last_found is not None or track.held:
        return False
    return track.absent_runs > 0 and track.summary == f"absent {reason}"


def none_as_ever(track: RetentionState, reason: str, host: Host, now: Now) -> bool:
    """Whether it is so, and nothing else is to it: no time is over, or yet to come."""
    since = track.absent_since
    if since is None or since > now.instant or track.past or track.held_back:
        return False
    due = not track.latched and _absent_for_long(track, host, now)
    return never_gave(track, reason) and not due


def _stands(track: RetentionState, host: Host, instant: datetime) -> bool:
    """Whether a track needs no settling: the usual case of one good address, found cheaply."""
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
    kept = host.policy.guard_window + LONGEST_GAP  # as long as what its successor is judged by
    return now.passed(held.replaced or held.confirmed) >= kept


def _absent_for_long(track: RetentionState, host: Host, now: Now) -> bool:
    """Whether the last answers proved an absence that began longer ago than is let pass."""
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
    """A track without networks that are believed no longer, and with what was held before them."""
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
    """Whether a name was absent for too long, and in no family it is held by.

    A family that was asked for the first time, and refused, says nothing about the name.
    """
    mine = [track for query, track in tracks.items() if query.hostname == hostname]
    alive = any(track.held and not track.latched for track in mine)
    return any(track.latched for track in mine) and not alive


def held_by(track: RetentionState, host: Host) -> set[Network]:
    """The networks that a host holds by one question."""
    return {network_of(one.address, host) for one in track.held}


def recent(arrivals: Mapping[Network, datetime], now: Now) -> dict[Network, datetime]:
    """What of that arrived within the last day; nothing lies in the future."""
    return {
        network: min(at, now.instant)
        for network, at in arrivals.items()
        if now.passed(at) < ONE_DAY
    }


def came(track: RetentionState, instant: datetime) -> bool:
    """Whether a network that is held came at an instant."""
    return instant in [one.since for one in track.held]
