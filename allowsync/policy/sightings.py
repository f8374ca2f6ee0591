"""Which networks came lately, by whom, and what spoke against them: evidence over runs. Pure.

A guard that forgets between runs believes in steps what it refuses at once. So every network that
is new to its host, and every one that a made-up name beside it gave, is remembered for
`guard_window`, counted over runs, and looked at again in each of them.
"""

from __future__ import annotations

from allowsync.model.answer import Found
from allowsync.model.memory import HostMemory, Sighting
from allowsync.model.networks import NetworkIndex, covers
from allowsync.model.types import Address, Family, Host, Network, Query, by_network
from allowsync.model.value import Value
from allowsync.policy.clock import LONGEST_GAP
from allowsync.policy.screening import network_of
from allowsync.policy.tracking import former_tracks, latched, long_held, settled_tracks
from allowsync.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import timedelta

    from allowsync.model.memory import HeldAddress, RetentionState
    from allowsync.policy.clock import Now
    from allowsync.policy.screening import ScreenedAnswer

    Judgements = Mapping[str, tuple[ScreenedAnswer, ...]]
    Memories = Mapping[str, HostMemory]
    Refuted = Mapping[str, frozenset[Network]]  # by hostname

# What a made-up name did not give in so many answers in a row is no evidence any more. A host that
# did not give a network in so many speaks against no single one that gave it in as many. Where a
# parent answers for every name, what came in so many is believed if no made-up name ever gave it.
ROW = 3


class Ledger(NamedTuple):
    """All sightings of the last `guard_window`."""

    sightings: tuple[Sighting, ...] = ()

    @property
    def is_undisputed(self) -> bool:
        """Whether nothing on record speaks against anything else.

        No made-up name gave a network, no two names gave networks with an address in common, and
        none was taken back.
        """
        if any(one.decoy or one.refuted for one in self.sightings):
            return False
        keys = {by_network(one.network) for one in self.sightings}
        versions = {version for version, _, _ in keys}
        kinds = {(version, width) for version, _, width in keys}
        return len(keys) == len(self.sightings) and len(kinds) == len(versions)

    def marked(self, refuted: Collection[tuple[str, Network]]) -> Ledger:
        """The ledger with what was granted and taken back marked as such, and nothing else."""
        if not refuted and not any(one.refuted for one in self.sightings):
            return self
        return Ledger(
            tuple(
                one._replace(refuted=not one.decoy and (one.name, one.network) in refuted)
                for one in self.sightings
            )
        )


class NewAddress(Value):
    """An address that is believed so far, of a network that is new to its host.

    Attributes:
        host: Whose it is to be.
        query: What was asked.
        address: What came.
        network: What would be granted.
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
    same: Mapping[str, Mapping[Query, HeldAddress] | None] | None = None,
) -> tuple[NewAddress, ...]:
    """The addresses of a run that are new to their hosts, in the order of hosts and answers.

    Args:
        hosts: The hosts of the run.
        judged: What is believed of the answers so far.
        memories: What is remembered of hosts.
        ledger: What is on record of the runs before.
        now: The instant of the run.
        same: What hosts are held by, where their answers give just that (see `unmoved`).
    """
    young = {(one.name, one.network) for one in ledger.sightings if not one.decoy}
    found: list[NewAddress] = []
    for host in hosts:
        held = None if same is None else same[host.name]
        if held is not None:
            found += _still_young(host, held, young, now) if young else ()
        elif young or not _plainly_held(judged.get(host.name, ()), memories.get(host.name)):
            found += _new_to(host, judged[host.name], memories.get(host.name), young, now)
    if young:
        others = hosts if same is None else [one for one in hosts if same[one.name] is None]
        found += _of_former_names(others, memories, young, found, now)
    return tuple(found)


def _still_young(
    host: Host,
    same: Mapping[Query, HeldAddress],
    young: AbstractSet[tuple[str, Network]],
    now: Now,
) -> Iterator[NewAddress]:
    """What came within the window, of a host whose answers give just what it is held by."""
    for query, held in same.items():
        given = network_of(held.address, host)
        on_record = (query.hostname, given) in young or any(
            (name, given) in young for name in host.hostnames
        )
        if on_record and not long_held(held, host, now):
            yield NewAddress(host, query, held.address, given, latched=False, granted=True)


def _plainly_held(judged: Iterable[ScreenedAnswer], memory: HostMemory | None) -> bool:
    """Whether every address is held for its very question; nearly always so, and quickly seen."""
    tracks = {} if memory is None else memory.tracks
    for one in judged:
        if isinstance(one.answer, Found):
            track = tracks.get(one.query)
            held = () if track is None else [held.address for held in track.held]
            if any(address not in held for address in one.answer.addresses):
                return False
    return True


def _new_to(
    host: Host,
    judged: Iterable[ScreenedAnswer],
    memory: HostMemory | None,
    young: AbstractSet[tuple[str, Network]],
    now: Now,
) -> Iterator[NewAddress]:
    tracks = settled_tracks(host, memory or HostMemory(), now)
    lastingly: dict[Network, bool] = {}
    for track in tracks.values():
        for old in track.held:
            held = network_of(old.address, host)
            lastingly[held] = long_held(old, host, now) or lastingly.get(held, False)
    for query, address, given in _given_or_young(host, judged, tracks, young):
        lasts = lastingly.get(given)
        granted = lasts is not None
        names = (query.hostname, *host.hostnames)  # what one gave, another may give as well
        if lasts or (granted and young.isdisjoint((name, given) for name in names)):
            continue
        if not any(covers(mine, given) for mine in host.networks):
            shut = not granted and latched(tracks, query.hostname)
            yield NewAddress(host, query, address, given, shut, granted)
    yield from _may_come_back(host, tracks, young, now)


def _given_or_young(
    host: Host,
    judged: Iterable[ScreenedAnswer],
    tracks: Mapping[Query, RetentionState],
    young: Collection[tuple[str, Network]],
) -> Iterator[tuple[Query, Address, Network]]:
    """What the answers give, and what came within the window, is held, and is given no more."""
    seen: set[tuple[Query, Network]] = set()
    for one in judged:
        for address in one.answer.addresses if isinstance(one.answer, Found) else ():
            given = network_of(address, host)
            seen.add((one.query, given))
            yield one.query, address, given
    for query, track in tracks.items():
        for held in track.held:
            given = network_of(held.address, host)
            if (query.hostname, given) in young and (query, given) not in seen:
                yield query, held.address, given


def _may_come_back(
    host: Host,
    tracks: Mapping[Query, RetentionState],
    young: Collection[tuple[str, Network]],
    now: Now,
) -> Iterator[NewAddress]:
    """What came within the window and was replaced: it is held again if its successor is refuted.

    An answer that gives it anew is an arrival all the same.
    """
    for query, track in tracks.items():
        for one in track.past:
            given = network_of(one.address, host)
            if (query.hostname, given) in young and not long_held(one, host, now):
                yield NewAddress(host, query, one.address, given, latched=False, granted=True)


def _of_former_names(
    hosts: Iterable[Host],
    memories: Memories,
    young: Collection[tuple[str, Network]],
    found: Iterable[NewAddress],
    now: Now,
) -> list[NewAddress]:
    """What came within the window by names that were edited away, and is held until others answer.

    What the host that has such a name now holds by it is judged as that host's.
    """
    judged = {(one.query, one.network) for one in found if one.granted}
    return [
        NewAddress(host, query, held.address, given, latched=False, granted=True)
        for host in hosts
        for query, held in _held_by_former_names(host, memories.get(host.name), now)
        if (query.hostname, given := network_of(held.address, host)) in young
        and (query, given) not in judged
        and not long_held(held, host, now)
    ]


def _held_by_former_names(
    host: Host, memory: HostMemory | None, now: Now
) -> Iterator[tuple[Query, HeldAddress]]:
    if memory is None or not (memory.former or memory.tracks.keys() - set(host.queries)):
        return
    former = former_tracks(host, memory, settled_tracks(host, memory, now), now)
    yield from ((query, held) for query, track in former.items() for held in track.held)


class SightingIndex:
    """The sightings of a ledger by name and network: there may be one for each of 10,000 hosts."""

    def __init__(self, ledger: Ledger) -> None:
        own = [one for one in ledger.sightings if not one.decoy]
        self._of = {(one.name, one.network): one for one in reversed(own)}
        self._givers = NetworkIndex((one.network, one) for one in own)
        self._decoys: dict[tuple[str, Family], list[Sighting]] = {}
        for one in ledger.sightings:
            if one.decoy:
                key = (one.name, Family.of(one.network))
                self._decoys.setdefault(key, []).append(one)

    def of(self, name: str, network: Network) -> Sighting | None:
        """The sighting of a network at a host's name."""
        return self._of.get((name, network))

    def givers(self, network: Network) -> set[str]:
        """The names of hosts that gave a network, or one that overlaps it."""
        return {one.name for one in self._givers.overlapping(network)}

    def still_giving(self, network: Network) -> set[str]:
        """Those of them that gave it in one of their last answers."""
        return {one.name for one in self._givers.overlapping(network) if one.missed < ROW}

    def decoys(self, parent: Query) -> list[Sighting]:
        """What made-up names below a parent gave, of one family."""
        if not self._decoys:
            return []
        return self._decoys.get((parent.hostname, parent.family), [])


def taken_back(ledger: Ledger) -> Refuted:
    """By hostname, the networks that were granted and are believed no longer."""
    return by_hostname((one.name, one.network) for one in ledger.sightings if one.refuted)


def by_hostname(pairs: Iterable[tuple[str, Network]]) -> Refuted:
    """By hostname, the networks of pairs of a hostname and a network."""
    found: dict[str, set[Network]] = {}
    for name, network in pairs:
        found.setdefault(name, set()).add(network)
    return {name: frozenset(networks) for name, networks in found.items()}


class Heard(NamedTuple):
    """What was answered in one run.

    Attributes:
        names: For each question put for a host, the networks of the answer that are new to their
            host or on record. A question whose answer says nothing is not here.
        decoys: For each parent (and family) of which made-up names were asked, what they gave.
    """

    names: Mapping[Query, AbstractSet[Network]]
    decoys: Mapping[Query, AbstractSet[Network]]


def record(
    ledger: Ledger,
    heard: Heard,
    window: timedelta,
    now: Now,
) -> Ledger:
    """The ledger after one more run.

    Args:
        ledger: What was on record before.
        heard: What was answered in this run.
        window: How long a sighting is evidence; without an answer, for one gap between runs more.
        now: The instant of the run.
    """
    given = {
        (query.hostname, decoy, network)
        for decoy, what in ((False, heard.names), (True, heard.decoys))
        for query, networks in what.items()
        for network in networks
    }
    known = {(one.name, one.decoy, one.network): one for one in ledger.sightings}
    new = given.difference(known)
    missing = len(known) + len(new) > len(given)  # mostly each is given again
    kept = (
        _given_again(one, now) if not missing or key in given else _after(one, heard, window, now)
        for key, one in known.items()
    )
    arrived = (
        Sighting(name, network, decoy, now.instant, now.instant)
        for name, decoy, network in sorted(new, key=str)
    )
    return Ledger((*(one for one in kept if one is not None), *arrived))


def _given_again(one: Sighting, now: Now) -> Sighting:
    # Not by `_replace`, which takes five times as long.
    return Sighting(
        one.name, one.network, one.decoy, one.first, now.instant, one.runs + 1, 0,
        one.refuted, one.approved,
    )  # fmt: skip


def _after(one: Sighting, heard: Heard, window: timedelta, now: Now) -> Sighting | None:
    asked = heard.decoys if one.decoy else heard.names
    answered = Query(one.name, Family.of(one.network)) in asked
    # A machine that slept remembers what it heard last, until it has heard more.
    if now.passed(min(one.last, now.instant)) >= window + (not answered) * LONGEST_GAP:
        return None
    if not answered:
        return one
    missed = one.missed + 1
    over = one.decoy and missed >= ROW
    # What was approved was so while it came.
    approved = one.approved and missed < ROW
    return None if over else one._replace(runs=0, missed=missed, approved=approved)
