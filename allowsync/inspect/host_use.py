"""When each host's networks last sent a packet to what is guarded, where that is counted."""

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
    """A target, the hosts of its allowlist, and what it holds and counts."""

    target: str
    hosts: tuple[str, ...]
    entries: tuple[Entry, ...]
    traffic: Traffic | None


class HostUse(Value):
    """When a host's networks last sent a packet to what is guarded, as far as that is counted.

    Attributes:
        since: Since when that is counted at every target that counts; None where none does.
        at: When the last packet came; None where none was seen.
        beside: Hosts that have the same network: which of them it was is not known.
        uncounted: The host's targets that do not count.
    """

    since: datetime | None = None
    at: datetime | None = None
    beside: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()


def host_uses(targets: Sequence[TargetTraffic], store: Store, now: datetime) -> dict[str, HostUse]:
    """When hosts sent their last packet, by what is on record, and by what targets tell now.

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
                # Counted everywhere only since the latest: before, one may have come unseen.
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
    """By host, those that have a network in common with it where packets are counted."""
    found: dict[str, set[str]] = {}
    for hosts in _together(targets):
        for host in hosts if len(hosts) > 1 else ():
            found.setdefault(host, set()).update(hosts - {host})
    return found


def _together(targets: Iterable[TargetTraffic]) -> Iterator[set[str]]:
    for one in targets:
        if one.traffic is not None:
            yield from map(holders(one.entries), (entry.network for entry in one.entries))
