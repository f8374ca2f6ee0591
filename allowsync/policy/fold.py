"""The retention state of a question after one more answer. Pure.

A clock expires only when its time has passed *and* enough runs have agreed, and never in a run
whose wall clock jumped. An answer that equals the held addresses, as nearly all do, needs none of
this (`allowsync.policy.decision.unmoved`).
"""

from __future__ import annotations

from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.memory import HeldAddress, RetentionState
from allowsync.model.types import by_network
from allowsync.model.value import replace
from allowsync.policy.screening import network_of
from allowsync.policy.tracking import came, given_again, in_order, never_gave, recent
from allowsync.typed import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from allowsync.model.memory import HostMemory
    from allowsync.model.types import Host, Network, Query
    from allowsync.policy.clock import Now
    from allowsync.policy.screening import ScreenedAnswer

# A name without a usable answer does not expire in a single run, whatever the age of its last good
# answer: the machine may just have woken up before its network.
UNAVAILABLE_RUNS = 2


def fold(
    track: RetentionState,
    judged: ScreenedAnswer,
    host: Host,
    now: Now,
    contested: Collection[Network] = (),
) -> RetentionState:
    """The retention state of a question after one more answer to it.

    A contested network is not in the answer, but too few nameservers omitted it: its own state does
    not change.
    """
    match judged.answer:
        case Found() as found:
            after = _after_found(track, found, host, now, contested)
        case Absent(reason):
            after = _after_absent(track, reason, host, now)
        case Unavailable(reason):
            after = _after_unavailable(track, reason, host, now)
        case _:
            assert_never(judged.answer)
    if not judged.rejected:
        return after if not after.held_back else replace(after, held_back=())
    held_back = tuple(
        f"{one.address} rejected: {one.reason}" for one in judged.rejected if one.guarded
    )
    return after if after.held_back == held_back else replace(after, held_back=held_back)


def _after_found(
    track: RetentionState, found: Found, host: Host, now: Now, contested: Collection[Network]
) -> RetentionState:
    summary = "found " + " ".join(map(str, found.addresses))
    if len(track.held) == 1 and found.addresses == (track.held[0].address,):
        return given_again(track.held[0], now.instant, summary, track.past)
    held = {network_of(one.address, host): one for one in track.held}
    given = {network_of(address, host): address for address in found.addresses}
    fresh = [
        HeldAddress(address, held[network].since if network in held else now.instant, now.instant)
        for network, address in given.items()
    ]
    left_out = {network: one for network, one in held.items() if network not in given}
    missed = [_missed(one, now) for network, one in left_out.items() if network not in contested]
    gone = [one for one in missed if _replaced_for_good(one, host, now)]
    lasting = [one for one in missed if one not in gone]
    lasting += [one for network, one in left_out.items() if network in contested]
    past = [one for one in track.past if network_of(one.address, host) not in given]
    return RetentionState(
        in_order([*fresh, *lasting]),
        last_found=now.instant,
        summary=summary,
        past=in_order([*past, *gone]),
    )


def _missed(held: HeldAddress, now: Now) -> HeldAddress:
    since = held.replaced or now.instant
    return replace(held, replaced=since, replaced_runs=held.replaced_runs + now.counts)


def _replaced_for_good(held: HeldAddress, host: Host, now: Now) -> bool:
    since = held.replaced or now.instant
    enough = held.replaced_runs >= host.policy.replaced_runs
    return now.counts and enough and now.passed(since) >= host.policy.keep_replaced


def _after_absent(track: RetentionState, reason: str, host: Host, now: Now) -> RetentionState:
    if never_gave(track, reason):
        return track
    since = track.absent_since or now.instant
    runs = track.absent_runs + now.counts
    over = runs >= host.policy.absent_runs and now.passed(since) >= host.policy.keep_absent
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
    over = runs >= UNAVAILABLE_RUNS and now.passed(last) >= host.policy.keep_unavailable
    return replace(
        track,
        held=() if now.counts and over else track.held,
        absent_runs=0,
        unavailable_runs=runs,
        summary=f"unavailable {reason}",
        reason=reason,
    )


def arrivals(
    host: Host,
    memory: HostMemory,
    before: Mapping[Query, RetentionState],
    after: Mapping[Query, RetentionState],
    now: Now,
) -> Mapping[Network, datetime]:
    """The networks of a host that arrived within the last day, this run included."""
    if not any(came(track, now.instant) for track in after.values()):
        return memory.arrivals
    known = recent(memory.arrivals, now)
    held = {network_of(one.address, host) for track in before.values() for one in track.held}
    given = {network_of(one.address, host) for track in after.values() for one in track.held}
    return dict.fromkeys(sorted(given - held - known.keys(), key=by_network), now.instant) | known
