"""Who came from where within the guards' window, and who lives together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.networks import overlap
from allowsync.policy.screening import network_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from allowsync.model.types import Host, Network
    from allowsync.policy.clock import Now
    from allowsync.policy.sightings import Ledger

    Holders = Mapping[str, tuple[Host, HostMemory]]


class Crowd:
    """Who came from where within the window, and who lives together. For one run."""

    def __init__(self, holders: Holders, ledger: Ledger, now: Now) -> None:
        self._ledger = ledger
        self._hosts = [host for host, _ in holders.values()]
        self._labels = {name: host.name for host in self._hosts for name in host.hostnames}
        self._held = {
            host.name: list(_lasting(host, memory, now, past=False))
            for host, memory in holders.values()
        }
        self._homes = {
            host.name: list(_lasting(host, memory, now, past=True))
            for host, memory in holders.values()
        }

    def vouched(self, given: Network, host: Host) -> bool:
        """Whether another host has held a network for longer than the window."""
        others = (held for label, held in self._held.items() if label != host.name)
        return any(overlap(home, given) for held in others for home in held)

    def givers(self, given: Network) -> list[str]:
        """The hosts that gave a network within the window, sorted."""
        return sorted({self._labels.get(name, name) for name in self._ledger.givers(given)})

    def apart(self, labels: Iterable[str]) -> list[str]:
        """Of hosts that lived together, one each."""
        found: list[str] = []
        for label in labels:
            if not any(self._together(label, other) for other in found):
                found.append(label)
        return found

    def _together(self, label: str, other: str) -> bool:
        mine, theirs = self._homes.get(label, ()), self._homes.get(other, ())
        return any(overlap(one, another) for one in mine for another in theirs)

    def whole_domain(self, hostname: str, givers: Collection[str]) -> bool:
        """Whether all hosts below a name's parent domain are among the givers, and are several."""
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
        track = memory.tracks.get(query, RetentionState())
        for one in (*track.held, *track.past) if past else track.held:
            if now.passed(one.since) >= host.policy.guard_window:
                yield network_of(one.address, host)
