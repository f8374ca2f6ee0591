"""Hosts by the networks they used within the guards' window, and by shared homes. Pure."""

from __future__ import annotations

from functools import cached_property

from allowsync.model.networks import NetworkIndex
from allowsync.policy.screening import network_of
from allowsync.policy.tracking import NOTHING_KNOWN, long_held
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from allowsync.model.memory import HostMemory
    from allowsync.model.types import Host, Network
    from allowsync.policy.clock import Now
    from allowsync.policy.sightings import SightingIndex

    Holders = Mapping[str, tuple[Host, HostMemory]]


class Crowd:
    """Hosts by the networks they used within the window, and by shared homes. For one run."""

    def __init__(self, holders: Holders, seen: SightingIndex, now: Now) -> None:
        self._seen = seen
        self._hosts = [host for host, _ in holders.values()]
        self._holders, self._now = holders, now
        # A name that was edited away belonged to this host: its replacement may give the same
        # network, as at another provider.
        self._labels = {
            query.hostname: host.name
            for host, memory in holders.values()
            for query in (*memory.former, *memory.tracks)
        }
        self._labels |= {name: host.name for host in self._hosts for name in host.hostnames}
        # Cached by network: where thousands of hosts share one, each of them asks.
        self._givers: dict[Network, list[str]] = {}
        self._strangers: dict[Network, list[str]] = {}

    # Nearly always each network is given by a single host: then none of these is needed.
    @cached_property
    def _held(self) -> NetworkIndex[str]:
        return NetworkIndex(
            (network, host.name)
            for host, memory in self._holders.values()
            for network in _lasting(host, memory, self._now, past=False)
        )

    @cached_property
    def _homes(self) -> dict[str, list[Network]]:
        return {
            host.name: list(_lasting(host, memory, self._now, past=True))
            for host, memory in self._holders.values()
        }

    @cached_property
    def _at_home(self) -> NetworkIndex[str]:
        return NetworkIndex(
            (network, label) for label, homes in self._homes.items() for network in homes
        )

    def vouched(self, given: Network, host: Host) -> bool:
        """Whether another host has held a network for longer than the window."""
        return any(label != host.name for label in self._held.overlapping(given))

    def givers(self, given: Network) -> list[str]:
        """The hosts that gave a network within the window, sorted."""
        found = self._givers.get(given)
        if found is None:
            names = {self._labels.get(name, name) for name in self._seen.givers(given)}
            found = self._givers[given] = sorted(names)
        return found

    def still_giving(self, given: Network) -> list[str]:
        """The hosts among them that gave it in one of their last answers, sorted."""
        return sorted({self._labels.get(name, name) for name in self._seen.still_giving(given)})

    def strangers(self, given: Network) -> list[str]:
        """The hosts that gave a network within the window, one of each shared home."""
        if given not in self._strangers:
            self._strangers[given] = self.apart(self.givers(given))
        return self._strangers[given]

    def apart(self, labels: Iterable[str]) -> list[str]:
        """One host of each shared home."""
        found: dict[str, None] = {}
        for label in labels:
            if found.keys().isdisjoint(self._together(label)):
                found[label] = None
        return list(found)

    def _together(self, label: str) -> Iterator[str]:
        """The hosts that shared a home with a host."""
        for home in self._homes.get(label, ()):
            yield from self._at_home.overlapping(home)

    def whole_domain(self, hostname: str, givers: Collection[str]) -> bool:
        """Whether several separate hosts below a name's parent domain are all among the givers."""
        parent = hostname.partition(".")[2]
        below = [
            host.name
            for host in self._hosts
            if any(name.partition(".")[2] == parent for name in host.hostnames)
        ]
        return len(self.apart(below)) > 1 and set(below).issubset(givers)


def _lasting(host: Host, memory: HostMemory, now: Now, *, past: bool) -> Iterator[Network]:
    """The networks that a host has had for longer than the window."""
    yield from host.networks
    for query in host.queries:
        track = memory.tracks.get(query, NOTHING_KNOWN)
        for one in (*track.held, *track.past) if past else track.held:
            if long_held(one, host, now):
                yield network_of(one.address, host)
