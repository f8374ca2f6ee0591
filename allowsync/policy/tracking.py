"""What is known of a question, run after run: one more answer, the clocks, the latch. Pure.

A clock runs out only when its time has passed *and* enough runs have agreed, and never in a run
whose wall clock jumped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.memory import Clock, HeldAddress, HostMemory, RetentionState
from allowsync.model.networks import network
from allowsync.model.special_purpose import rejection
from allowsync.model.types import Address, Family, Host, Network, Query, by_network
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.policy.screening import ScreenedAnswer

# A name that gave no usable answer is not given up in a single run, however long ago the last good
# answer is: the machine may just have woken up before its network.
UNAVAILABLE_RUNS = 2

ONE_DAY = timedelta(days=1)


class Now(Value):
    """The instant of a run, and whether clocks may run out at it."""

    instant: datetime
    clock: Clock = Clock.STEADY

    @property
    def counts(self) -> bool:
        """Whether this run may advance and end clocks."""
        return self.clock is Clock.STEADY


def network_of(address: Address, host: Host) -> Network:
    """The network granted for an address, as wide as the host's prefix for that family."""
    width = host.prefix(Family.of(address))
    beyond = address.max_prefixlen - width
    return network(address.version, int(address) >> beyond << beyond, width)


def settled_tracks(
    host: Host, memory: HostMemory, instant: datetime
) -> dict[Query, RetentionState]:
    """What is remembered of a host's queries, in the light of today's configuration and clock."""
    return {
        query: _settle(memory.tracks.get(query, RetentionState()), host, instant)
        for query in host.queries
    }


def _settle(track: RetentionState, host: Host, instant: datetime) -> RetentionState:
    """A remembered track in the light of today's configuration and clock.

    What is on the reject list now is not held any longer, addresses that share a network now are
    one, and nothing lies in the future (the clock may have been put back).
    """
    if _stands(track, host, instant):
        return track
    allowed = (one for one in track.held if not rejection(one.address, host.policy.accept))
    by_net: dict[Network, HeldAddress] = {}
    for one in allowed:
        network = network_of(one.address, host)
        by_net[network] = _merge(by_net[network], one) if network in by_net else one
    return replace(
        track,
        held=_in_order(_not_after(one, instant) for one in by_net.values()),
        last_found=_earlier(track.last_found, instant),
        absent_since=_earlier(track.absent_since, instant),
        latched=track.latched or _absent_for_long(track, host, instant),
    )


def _stands(track: RetentionState, host: Host, instant: datetime) -> bool:
    """Whether a track needs no settling: the usual case of one good address, found cheaply."""
    if len(track.held) != 1 or track.absent_since is not None or track.last_found is None:
        return False
    (held,) = track.held
    latest = max(track.last_found, held.since, held.confirmed, held.replaced or held.since)
    return latest <= instant and not rejection(held.address, host.policy.accept)


def _absent_for_long(track: RetentionState, host: Host, instant: datetime) -> bool:
    """Whether the last answers proved an absence that began longer ago than is let pass."""
    if not track.absent_runs or track.absent_since is None:
        return False
    return instant - track.absent_since > host.policy.latch_absent


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


def _in_order(held: Iterable[HeldAddress]) -> tuple[HeldAddress, ...]:
    return tuple(sorted(held, key=lambda one: int(one.address)))


def fold(track: RetentionState, judged: ScreenedAnswer, host: Host, now: Now) -> RetentionState:
    """What is known of a question after one more answer to it."""
    match judged.answer:
        case Found() as found:
            after = _after_found(track, found, host, now)
        case Absent(reason):
            after = _after_absent(track, reason, host, now)
        case Unavailable(reason):
            after = _after_unavailable(track, reason, host, now)
        case _:
            assert_never(judged.answer)
    held_back = tuple(
        f"{one.address} rejected: {one.reason}" for one in judged.rejected if one.guarded
    )
    return after if after.held_back == held_back else replace(after, held_back=held_back)


def _after_found(track: RetentionState, found: Found, host: Host, now: Now) -> RetentionState:
    summary = "found " + " ".join(str(address) for address in found.addresses)
    if len(track.held) == 1 and found.addresses == (track.held[0].address,):
        same = HeldAddress(track.held[0].address, track.held[0].since, now.instant)
        return RetentionState((same,), last_found=now.instant, summary=summary)
    held = {network_of(one.address, host): one for one in track.held}
    given = {network_of(address, host): address for address in found.addresses}
    fresh = [
        HeldAddress(address, held[network].since if network in held else now.instant, now.instant)
        for network, address in given.items()
    ]
    missed = (_missed(one, now) for network, one in held.items() if network not in given)
    lasting = [one for one in missed if not _replaced_for_good(one, host, now)]
    return RetentionState(_in_order([*fresh, *lasting]), last_found=now.instant, summary=summary)


def _missed(held: HeldAddress, now: Now) -> HeldAddress:
    since = held.replaced or now.instant
    return replace(held, replaced=since, replaced_runs=held.replaced_runs + now.counts)


def _replaced_for_good(held: HeldAddress, host: Host, now: Now) -> bool:
    since = held.replaced or now.instant
    enough = held.replaced_runs >= host.policy.replaced_runs
    return now.counts and enough and now.instant - since >= host.policy.keep_replaced


def _after_absent(track: RetentionState, reason: str, host: Host, now: Now) -> RetentionState:
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


def _after_unavailable(track: RetentionState, reason: str, host: Host, now: Now) -> RetentionState:
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


def latched(tracks: Mapping[Query, RetentionState], hostname: str) -> bool:
    """Whether a name was absent for too long in every family that was ever asked."""
    asked = [
        track for query, track in tracks.items() if query.hostname == hostname and track.summary
    ]
    return bool(asked) and all(track.latched for track in asked)


def recent(arrivals: Mapping[Network, datetime], instant: datetime) -> dict[Network, datetime]:
    """What of that arrived within the last day; nothing lies in the future."""
    return {network: min(at, instant) for network, at in arrivals.items() if instant - at < ONE_DAY}


def arrivals(
    host: Host,
    memory: HostMemory,
    before: Mapping[Query, RetentionState],
    after: Mapping[Query, RetentionState],
    instant: datetime,
) -> Mapping[Network, datetime]:
    """The networks of a host that came within the last day, this run's included."""
    if all(one.since != instant for track in after.values() for one in track.held):
        return memory.arrivals
    known = recent(memory.arrivals, instant)
    held = {network_of(one.address, host) for track in before.values() for one in track.held}
    given = {network_of(one.address, host) for track in after.values() for one in track.held}
    return dict.fromkeys(sorted(given - held - known.keys(), key=by_network), instant) | known
