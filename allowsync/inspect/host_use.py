"""Time of the last packet from each host to guarded ports, where packets are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allowsync.model.value import Value
from allowsync.state.access_log import began_anew, forgot, holders, used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from allowsync.model.target import Traffic
    from allowsync.model.types import Entry
    from allowsync.state import Store


class TargetTraffic(NamedTuple):
    """A target, the hosts of its allowlist, its entries, and its packet counters."""

    target: str
    hosts: tuple[str, ...]
    entries: tuple[Entry, ...]
    traffic: Traffic | None


class HostUse(Value):
    """The last packet from a host's networks to guarded ports, as far as packets are counted.

    Attributes:
        since: The start of counting at every target that counts; None where none does.
        at: The time of the last packet; None where none was seen.
        beside: Hosts that share a network with it: the sender among them is unknown.
        uncounted: The host's targets that do not count packets.
    """

    since: datetime | None = None
    at: datetime | None = None
    beside: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()


def host_uses(targets: Sequence[TargetTraffic], store: Store, now: datetime) -> dict[str, HostUse]:
    """The last packet of each host, from the state and the targets' present counters.

    Raises:
        StateError: The state cannot be read.
    """
    latest: dict[str, datetime] = {}
    since: dict[str, datetime] = {}
    last = store.last_run()
    before = None if last is None else last.started
    for one in targets:
        known, kept = store.uses(one.target)
        anew = one.traffic is not None and (
            began_anew(one.entries, one.traffic, kept) or forgot(one.traffic, before, now)
        )
        for host, (began, at) in known.items():
            if one.traffic is not None:
                # Counted everywhere only since the latest: an earlier packet may have been missed.
                begins = now if anew else began
                since[host] = max(since.get(host, begins), begins)
            if at is not None:
                latest[host] = max(latest.get(host, at), at)
        if one.traffic is not None:
            for host, at in used(one.entries, one.traffic, kept, now).items():
                latest[host] = max(latest.get(host, at), at)
    beside = _sharing(targets)
    return {
        host: HostUse(
            since.get(host),
            latest.get(host),
            tuple(sorted(beside.get(host, ()))),
            tuple(one.target for one in targets if one.traffic is None and host in one.hosts),
        )
        for host in dict.fromkeys(host for one in targets for host in one.hosts)
    }


def _sharing(targets: Iterable[TargetTraffic]) -> dict[str, set[str]]:
    """By host, the hosts that share a network with it where packets are counted."""
    found: dict[str, set[str]] = {}
    for hosts in _together(targets):
        for host in hosts if len(hosts) > 1 else ():
            found.setdefault(host, set()).update(hosts - {host})
    return found


def _together(targets: Iterable[TargetTraffic]) -> Iterator[set[str]]:
    for one in targets:
        if one.traffic is not None:
            yield from map(holders(one.entries), (entry.network for entry in one.entries))
