"""Which networks came lately, by whom, and what spoke against them: evidence over runs. Pure.

A guard that forgets between runs believes in steps what it refuses at once. So every network that
is new to its host, and every one that a made-up name beside it gave, is remembered for
`guard_window`, counted over runs, and looked at again in each of them.
"""

from __future__ import annotations

from allowsync.model.answer import Found
from allowsync.model.memory import HostMemory, Sighting
from allowsync.model.networks import NetworkIndex
from allowsync.model.types import Address, Family, Host, Network, Query, by_network
from allowsync.policy.clock import LONGEST_GAP
from allowsync.policy.screening import network_of
from allowsync.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime, timedelta

    from allowsync.policy.clock import Now
    from allowsync.policy.decision import Decision
    from allowsync.policy.screening import ScreenedAnswer

    Judgements = Mapping[str, tuple[ScreenedAnswer, ...]]
    Memories = Mapping[str, HostMemory]
    Refuted = Mapping[str, frozenset[Network]]  # by hostname

# What a made-up name did not give in so many answers in a row is no evidence any more. A host that
# did not give a network in so many speaks against no single one that gave it in as many. Where a
# parent answers for every name, what came in so many is believed if no made-up name ever gave it.
ROW = 3


class Ledger(NamedTuple):
    """All sightings of the last `guard_window`.

    Attributes:
        before: The sightings on record.
        again: When each of them was given once more, which they do not tell themselves.
    """

    before: tuple[Sighting, ...] = ()
    again: datetime | None = None

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """The sightings."""
        if self.again is None:
            return self.before
        return tuple(_given_again(one, self.again) for one in self.before)

    @property
    def undisputed(self) -> dict[Network, str] | None:
        """Which name gave each network, where nothing on record speaks against anything else.

        No made-up name gave a network, no two names gave networks with an address in common, none
        was taken back, and nothing is to be asked again. None where that is not so.
        """
        names: dict[Network, str] = {}
        for one in self.sightings:
            if one.decoy or one.refuted or one.unproven:
                return None
            names[one.network] = one.name
        keys = map(by_network, names)
        kinds = {(version, width) for version, _, width in keys}
        versions = {version for version, _ in kinds}
        alone = len(names) == len(self.sightings) and len(kinds) == len(versions)
        return names if alone else None

    @property
    def unproven(self) -> frozenset[tuple[str, Network]]:
        """The names and networks of which what was asked beside them is to be asked again."""
        return frozenset((one.name, one.network) for one in self.sightings if one.unproven)

    def proven(
        self, asked: Collection[tuple[str, Network]], unproven: Collection[tuple[str, Network]]
    ) -> Ledger:
        """The ledger after questions beside some arrivals, of which some were not answered."""
        if not asked or not (unproven or self.unproven):
            return self
        return Ledger(
            tuple(
                one._replace(unproven=(one.name, one.network) in unproven)
                if not one.decoy and (one.name, one.network) in asked
                else one
                for one in self.sightings
            )
        )

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


def plainly_held(judged: Iterable[ScreenedAnswer], memory: HostMemory | None) -> bool:
    """Whether every address is held for its very question; nearly always so, and quickly seen."""
    tracks = {} if memory is None else memory.tracks
    for one in judged:
        if isinstance(one.answer, Found):
            track = tracks.get(one.query)
            held = () if track is None else [held.address for held in track.held]
            if any(address not in held for address in one.answer.addresses):
                return False
    return True


def networks_given(
    host: Host, judged: Iterable[ScreenedAnswer]
) -> Iterator[tuple[Query, Address, Network]]:
    """What the answers give, and what would be granted for it."""
    for one in judged:
        for address in one.answer.addresses if isinstance(one.answer, Found) else ():
            yield one.query, address, network_of(address, host)


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
        _given_again(one, now.instant)
        if not missing or key in given
        else _after(one, heard, window, now)
        for key, one in known.items()
    )
    arrived = (
        Sighting(name, network, decoy, now.instant, now.instant)
        for name, decoy, network in sorted(new, key=str)
    )
    return Ledger((*(one for one in kept if one is not None), *arrived))


def _tell_more(judged: Collection[ScreenedAnswer], memory: HostMemory | None) -> bool:
    """Whether some address is not held for its very question, or was rejected."""
    return any(one.rejected for one in judged) or not plainly_held(judged, memory)


def _given_again(one: Sighting, instant: datetime) -> Sighting:
    # Not by `_replace`, which takes five times as long.
    return Sighting(
        one.name, one.network, one.decoy, one.first, instant, one.runs + 1, 0,
        one.refuted, one.approved, one.unproven,
    )  # fmt: skip


def _plainly_given(
    host: Host,
    judged: Collection[ScreenedAnswer],
    memory: HostMemory | None,
    decision: Decision | None,
) -> list[tuple[str, Network]] | None:
    """What each name gave of what is held already; None where there is anything else to it."""
    if decision is not None:
        return [(one.hostname, one.network) for one in decision.grants]
    if _tell_more(judged, memory):
        return None
    return [(query.hostname, network) for query, _, network in networks_given(host, judged)]


def given_again(
    ledger: Ledger,
    hosts: Iterable[Host],
    judged: Judgements,
    memories: Memories,
    steady: Mapping[str, Decision],
    now: Now,
) -> Ledger | None:
    """The ledger after a run that gave all of it once more, and nothing that is not held already.

    So it is in nearly every run. It is what guards come to as well, as they have nothing to say.

    Args:
        ledger: What was on record before.
        hosts: The hosts of the run.
        judged: What is believed of the answers so far.
        memories: What is remembered of hosts.
        steady: What was decided about hosts whose answers give just what they are held by (see
            `unmoved`): their grants are what was given.
        now: The instant of the run.

    Returns:
        None where guards have to look.
    """
    if (names := ledger.undisputed) is None:
        return None
    widths = {one.version: one.prefixlen for one in names}
    given = set()
    for host in hosts:
        mine = _plainly_given(
            host, judged[host.name], memories.get(host.name), steady.get(host.name)
        )
        if mine is None:
            return None
        for hostname, network in mine:
            name = names.get(network)
            if name == hostname:
                given.add(network)
            elif name or widths.get(network.version, network.prefixlen) != network.prefixlen:
                return None  # another one's, or it may overlap what is on record
    if len(given) < len(names):
        return None
    return Ledger(ledger.sightings, now.instant) if names else ledger


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
