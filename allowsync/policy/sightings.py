"""Which networks came lately, by whom, and what spoke against them: evidence over runs. Pure.

A guard that forgets between runs believes in steps what it refuses at once. So every network that
is new to its host, and every one that a made-up name beside it gave, is remembered for
`guard_window`, counted over runs, and looked at again in each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allowsync.model.memory import Sighting
from allowsync.model.networks import NetworkIndex
from allowsync.model.types import Family, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import timedelta

    from allowsync.model.types import Host, Network
    from allowsync.policy.clock import Now

# A network that did not come in so many answers in a row, and is not held, is no evidence any more;
# and where a parent answers for every name, one that came in so many is believed if no made-up name
# ever gave it.
ROW = 3


class Ledger(NamedTuple):
    """All sightings of the last `guard_window`."""

    sightings: tuple[Sighting, ...] = ()

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


class SightingIndex:
    """The sightings of a ledger by name and network: there may be one for each of 10,000 hosts."""

    def __init__(self, ledger: Ledger) -> None:
        own = [one for one in ledger.sightings if not one.decoy]
        self._of = {(one.name, one.network): one for one in reversed(own)}
        self._givers = NetworkIndex((one.network, one.name) for one in own)
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
        return set(self._givers.overlapping(network))

    def decoys(self, parent: Query) -> list[Sighting]:
        """What made-up names below a parent gave, of one family."""
        if not self._decoys:
            return []
        return self._decoys.get((parent.hostname, parent.family), [])


def taken_back(ledger: Ledger, hosts: Iterable[Host]) -> dict[str, frozenset[Network]]:
    """By host, the networks that were granted and are believed no longer."""
    return by_host(((one.name, one.network) for one in ledger.sightings if one.refuted), hosts)


def by_host(
    pairs: Iterable[tuple[str, Network]], hosts: Iterable[Host]
) -> dict[str, frozenset[Network]]:
    """By host, the networks of pairs of a hostname and a network."""
    of: dict[str, set[Network]] = {}
    for name, network in pairs:
        of.setdefault(name, set()).add(network)
    nothing: frozenset[Network] = frozenset()
    if not of:
        return {host.name: nothing for host in hosts}
    return {
        host.name: nothing.union(*(of.get(name, nothing) for name in host.hostnames))
        for host in hosts
    }


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
    held: Callable[[], Collection[tuple[str, Network]]] = tuple,
) -> Ledger:
    """The ledger after one more run.

    Args:
        ledger: What was on record before.
        heard: What was answered in this run.
        window: How long a sighting is evidence.
        now: The instant of the run.
        held: Tells, by name, the networks that are held because of it, given now or not.
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
    holding = held() if missing else ()
    kept = (
        _given_again(one, now)
        if not missing or key in given
        else _after(one, heard, window, now, held=(one.name, one.network) in holding)
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


def _after(
    one: Sighting, heard: Heard, window: timedelta, now: Now, *, held: bool
) -> Sighting | None:
    if now.passed(min(one.last, now.instant)) >= window:
        return None
    asked = heard.decoys if one.decoy else heard.names
    if Query(one.name, Family.of(one.network)) not in asked:
        return one
    missed = one.missed + 1
    lasts = missed < ROW or (held and not one.decoy)
    return one._replace(runs=0, missed=missed) if lasts else None
