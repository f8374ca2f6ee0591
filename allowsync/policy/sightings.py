"""Sightings of recent networks, their names, and objections to them: evidence over runs. Pure.

A guard without memory would accept in steps what it rejects at once. So every network that is new
to its host, and every one that a made-up name beside it gave, is remembered for `guard_window`,
counted over runs, and checked again in each of them.
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

# After so many answers in a row without it, a network of a made-up name is no evidence any more,
# and a host that omitted a network is no objection to one that gave it in as many. Where a parent
# answers for every name, a network given in so many is accepted if no made-up name ever gave it.
ROW = 3


class Ledger(NamedTuple):
    """The sightings of the last `guard_window`.

    Attributes:
        before: The recorded sightings.
        again: The time at which all of them were given once more; not yet part of the sightings.
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
        """The name that gave each network, where no sighting is an objection to another.

        No made-up name gave a network, no two names gave overlapping networks, none was refuted,
        and no probe is to be repeated. None where that is not so.
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
        """The names and networks whose probes are to be repeated."""
        return frozenset((one.name, one.network) for one in self.sightings if one.unproven)

    def proven(
        self, asked: Collection[tuple[str, Network]], unproven: Collection[tuple[str, Network]]
    ) -> Ledger:
        """The ledger after probes beside some arrivals, some of them unanswered."""
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
        """The ledger with exactly the refuted networks marked as such."""
        if not refuted and not any(one.refuted for one in self.sightings):
            return self
        return Ledger(
            tuple(
                one._replace(refuted=not one.decoy and (one.name, one.network) in refuted)
                for one in self.sightings
            )
        )

    def renamed(self, names: Mapping[str, str]) -> Ledger:
        """The ledger with the sightings of edited hostnames under the present ones.

        Args:
            names: The present hostname of a host, by one that it had.
        """
        found: dict[tuple[str, bool, Network], Sighting] = {}
        for one in sorted(self.sightings, key=lambda one: one.name in names):
            name = one.name if one.decoy else names.get(one.name, one.name)
            own = found.setdefault((name, one.decoy, one.network), one._replace(name=name))
            if one.first < own.first:
                found[name, one.decoy, one.network] = own._replace(first=one.first)
        return Ledger(tuple(found.values()))


def plainly_held(judged: Iterable[ScreenedAnswer], memory: HostMemory | None) -> bool:
    """Whether every address is held for its own question; nearly always so, and a cheap check."""
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
    """The addresses in the answers, with the networks to grant."""
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
        """The names among them that gave it in one of their last answers."""
        return {one.name for one in self._givers.overlapping(network) if one.missed < ROW}

    def decoys(self, parent: Query) -> list[Sighting]:
        """The networks that made-up names below a parent gave, of one family."""
        if not self._decoys:
            return []
        return self._decoys.get((parent.hostname, parent.family), [])


def taken_back(ledger: Ledger) -> Refuted:
    """By hostname, the networks that were granted and are refuted."""
    return by_hostname((one.name, one.network) for one in ledger.sightings if one.refuted)


def by_hostname(pairs: Iterable[tuple[str, Network]]) -> Refuted:
    """By hostname, the networks of pairs of a hostname and a network."""
    found: dict[str, set[Network]] = {}
    for name, network in pairs:
        found.setdefault(name, set()).add(network)
    return {name: frozenset(networks) for name, networks in found.items()}


class Heard(NamedTuple):
    """The answers in one run.

    Attributes:
        names: For each question of a host, the networks in the answer that are new to the host or
            in the ledger. Questions without a usable answer are left out.
        decoys: For each parent (and family) of made-up names, the networks they gave.
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
        ledger: The sightings before.
        heard: The answers in this run.
        window: The lifetime of evidence; without an answer, one gap between runs more.
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
    """Whether some address is not held for its own question, or was rejected."""
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
    """The held networks that each name gave; None where there is anything else."""
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
    """The ledger after a run that gave all its networks once more, and only held addresses.

    This is the case of nearly every run. The guards give the same result, without an objection.

    Args:
        ledger: The sightings before.
        hosts: The hosts of the run.
        judged: The answers screened so far.
        memories: The memories of hosts.
        steady: The decisions about hosts whose answers equal their held addresses (see `unmoved`):
            their grants are the given networks.
        now: The instant of the run.

    Returns:
        None where the guards are needed.
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
                return None  # another name's, or it may overlap a recorded one
    if len(given) < len(names):
        return None
    return Ledger(ledger.sightings, now.instant) if names else ledger


def _after(one: Sighting, heard: Heard, window: timedelta, now: Now) -> Sighting | None:
    if one.last > now.instant:  # the clock was put back: its time starts here
        one = one._replace(first=min(one.first, now.instant), last=now.instant)
    asked = heard.decoys if one.decoy else heard.names
    answered = Query(one.name, Family.of(one.network)) in asked
    # A machine that slept keeps its last evidence until it has new answers.
    if now.passed(one.last) >= window + (not answered) * LONGEST_GAP:
        return None
    if not answered:
        return one
    missed = one.missed + 1
    over = one.decoy and missed >= ROW
    # An approval lasts while the network keeps coming.
    approved = one.approved and missed < ROW
    return None if over else one._replace(runs=0, missed=missed, approved=approved)
