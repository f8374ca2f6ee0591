"""Addresses of a run that are new to their hosts, for the guards to check. Pure.

Beside addresses given for the first time, these are held ones that came within `guard_window`. In
nearly every run there are only the latter, and all are given once more: then none of this is
needed (`allowsync.policy.sightings.given_again`).
"""

from __future__ import annotations

from allowsync.model.memory import HostMemory
from allowsync.model.networks import covers, overlap
from allowsync.model.value import Value
from allowsync.policy.screening import network_of
from allowsync.policy.sightings import by_hostname, networks_given, plainly_held
from allowsync.policy.tracking import former_tracks, held_by, latched, long_held, settled_tracks
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from allowsync.model.memory import HeldAddress, RetentionState
    from allowsync.model.types import Address, Host, Network, Query
    from allowsync.policy.clock import Now
    from allowsync.policy.screening import ScreenedAnswer
    from allowsync.policy.sightings import Judgements, Ledger, Memories

    Lately = Mapping[str, frozenset[Network]]  # by hostname, the arrivals within the window


class NewAddress(Value):
    """An address accepted so far, of a network that is new to its host.

    Attributes:
        host: The host.
        query: The query.
        address: The address in the answer.
        network: The network to grant.
        latched: Whether the name has to be approved first.
        granted: Whether it was granted already, within the window; it may have been replaced since.
    """

    host: Host
    query: Query
    address: Address
    network: Network
    latched: bool = False
    granted: bool = False


def newcomers(
    hosts: Collection[Host],
    judged: Judgements,
    memories: Memories,
    ledger: Ledger,
    now: Now,
    steady: Collection[str],
) -> tuple[NewAddress, ...]:
    """The addresses of a run that are new to their hosts, in the order of hosts and answers.

    Args:
        hosts: The hosts of the run.
        judged: The answers screened so far.
        memories: The memories of hosts.
        ledger: The sightings of the runs before.
        now: The instant of the run.
        steady: The hosts whose answers equal their held addresses (see `unmoved`).
    """
    young = by_hostname((one.name, one.network) for one in ledger.sightings if not one.decoy)
    found: list[NewAddress] = []
    for host in hosts:
        if host.name in steady:
            found += _still_young(host, memories[host.name], young, now) if young else ()
        elif young or not plainly_held(judged.get(host.name, ()), memories.get(host.name)):
            found += _new_to(host, judged[host.name], memories.get(host.name), young, now)
    if young:
        others = [one for one in hosts if one.name not in steady]
        found += _of_former_names(others, memories, young, found, now)
    return tuple(found)


def _is_young(young: Lately, names: Iterable[str], given: Network) -> bool:
    """Whether one of some names gave a network within the window, at any width of its grant."""
    return any(overlap(given, one) for name in names for one in young.get(name, ()))


def _still_young(host: Host, memory: HostMemory, young: Lately, now: Now) -> Iterator[NewAddress]:
    """Arrivals within the window of a host whose answers equal its held addresses."""
    for query in host.queries:
        for held in memory.tracks[query].held:
            given = network_of(held.address, host)
            if _is_young(young, host.hostnames, given) and not long_held(held, host, now):
                yield NewAddress(host, query, held.address, given, latched=False, granted=True)


def _new_to(
    host: Host,
    judged: Iterable[ScreenedAnswer],
    memory: HostMemory | None,
    young: Lately,
    now: Now,
) -> Iterator[NewAddress]:
    tracks = settled_tracks(host, memory or HostMemory(), now)
    shut = {name for name in host.hostnames if latched(tracks, name)}
    lastingly: dict[Network, bool] = {}
    for track in tracks.values():
        for old in track.held:
            held = network_of(old.address, host)
            lastingly[held] = long_held(old, host, now) or lastingly.get(held, False)
    for query, address, given in _given_or_young(host, judged, tracks, young):
        if query.hostname in shut and given not in held_by(tracks[query], host):
            # Nothing else opens a latch: no other name of the host, nor a fixed network.
            yield NewAddress(host, query, address, given, latched=True)
            continue
        lasts = lastingly.get(given)
        granted = lasts is not None
        # Another name of the host may give the same network.
        if lasts or (granted and not _is_young(young, host.hostnames, given)):
            continue
        if not any(covers(mine, given) for mine in host.networks):
            yield NewAddress(host, query, address, given, latched=False, granted=granted)
    yield from _may_come_back(host, tracks, young, now)


def _given_or_young(
    host: Host,
    judged: Iterable[ScreenedAnswer],
    tracks: Mapping[Query, RetentionState],
    young: Lately,
) -> Iterator[tuple[Query, Address, Network]]:
    """The networks in the answers, and held arrivals within the window that no answer gives."""
    seen: set[tuple[Query, Network]] = set()
    for query, address, given in networks_given(host, judged):
        seen.add((query, given))
        yield query, address, given
    for query, track in tracks.items():
        for held in track.held:
            given = network_of(held.address, host)
            if (query, given) not in seen and _is_young(young, [query.hostname], given):
                yield query, held.address, given


def _may_come_back(
    host: Host,
    tracks: Mapping[Query, RetentionState],
    young: Lately,
    now: Now,
) -> Iterator[NewAddress]:
    """Arrivals within the window that were replaced: restored if their successor is refuted.

    An answer that gives one anew is an arrival all the same.
    """
    for query, track in tracks.items():
        for one in track.past:
            given = network_of(one.address, host)
            if _is_young(young, [query.hostname], given) and not long_held(one, host, now):
                yield NewAddress(host, query, one.address, given, latched=False, granted=True)


def _of_former_names(
    hosts: Iterable[Host],
    memories: Memories,
    young: Lately,
    found: Iterable[NewAddress],
    now: Now,
) -> list[NewAddress]:
    """Arrivals within the window by names that were edited away, held until other names answer.

    A network held by the host that has such a name now is judged as that host's.
    """
    judged = {(one.query, one.network) for one in found if one.granted}
    return [
        NewAddress(host, query, held.address, given, latched=False, granted=True)
        for host in hosts
        for query, held in _held_by_former_names(host, memories.get(host.name), now)
        if (query, given := network_of(held.address, host)) not in judged
        and _is_young(young, [query.hostname], given)
        and not long_held(held, host, now)
    ]


def _held_by_former_names(
    host: Host, memory: HostMemory | None, now: Now
) -> Iterator[tuple[Query, HeldAddress]]:
    if memory is None or not (memory.former or memory.tracks.keys() - set(host.queries)):
        return
    former = former_tracks(host, memory, settled_tracks(host, memory, now), now)
    yield from ((query, held) for query, track in former.items() for held in track.held)
