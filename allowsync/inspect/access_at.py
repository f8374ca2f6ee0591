"""Who could come from where at some instant, and what each target held: now, or by the history.

The past is found by going back from what targets are remembered to hold, change by change. What
is not known is said to be unknown, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.inspect.status_problems import not_withdrawn
from allowsync.model.types import Basis, Entry, Family, by_network
from allowsync.model.value import Value, field, replace
from allowsync.text import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.inspect.status import AccessStatus
    from allowsync.model.types import Grant, Network
    from allowsync.state.history import AccessPeriod, Past, PastChange


class HostAccess(Value):
    """That a host could come from a network.

    Attributes:
        host: The host.
        network: The network.
        hostname: The name that gave it; empty for a fixed network.
        basis: What it rested on; None where only the history is known.
        since: Since when.
        until: When it ends, or ended, by what is known; None when nothing says so.
        said: How fresh it was, or why it ended.
    """

    host: str
    network: Network
    hostname: str
    basis: Basis | None
    since: datetime
    until: datetime | None
    said: str


class TargetContents(Value):
    """What one target held.

    Attributes:
        target: Its full name.
        entries: What it held, with the hosts it was for.
        others: Foreign entries at the same place.
        doubtful: What it may or may not have held, and why that is not known.
        unknown: Why nothing is known of it; empty when something is.
        beside: The families that a target beside it holds in its stead.
        ineffective: Entries that let no packet in, each with the reason.
    """

    target: str
    entries: tuple[Entry, ...] = ()
    others: frozenset[Network] = frozenset()
    doubtful: Mapping[Network, str] = field(default_factory=dict)
    unknown: str = ""
    beside: frozenset[Family] = frozenset()
    ineffective: Mapping[Network, str] = field(default_factory=dict)

    def concerned(self, accesses: Iterable[HostAccess]) -> tuple[HostAccess, ...]:
        """Those of some accesses that are not another target's."""
        return tuple(one for one in accesses if Family.of(one.network) not in self.beside)


class AccessAt(Value):
    """All that was the case at an instant, as far as is known.

    Attributes:
        at: The instant.
        run: The last run before it; None when none is on record.
        accesses: Who could come from where.
        holdings: What the targets held.
        past: Whether it is told by the history alone.
        gates: Gates that were left behind, and drop what comes from elsewhere.
        unclear: Hosts of which nothing is known, and that may have access all the same.
    """

    at: datetime
    run: datetime | None
    accesses: tuple[HostAccess, ...]
    holdings: tuple[TargetContents, ...]
    past: bool
    gates: tuple[TargetContents, ...] = ()
    unclear: frozenset[str] = frozenset()


def present(standing: AccessStatus) -> AccessAt:
    """What is the case now."""
    accesses = tuple(
        _access(grant, standing.now)
        for decision in standing.decisions.values()
        for grant in decision.grants
    )
    holdings = tuple(
        TargetContents(
            one.target,
            one.entries,
            one.others,
            unknown="" if one.readable else one.reason or "it could not be read",
            beside=one.beside,
            ineffective=one.ineffective,
        )
        for one in standing.targets
    )
    gates = tuple(
        TargetContents(one.target, one.entries, unknown=one.reason) for one in standing.gates
    )
    return AccessAt(
        standing.now,
        standing.last_run,
        accesses,
        holdings,
        past=False,
        gates=gates,
        unclear=standing.unclear,
    )


def _access(grant: Grant, now: datetime) -> HostAccess:
    fresh = f"{grant.basis.value}, confirmed {said(now - grant.confirmed)} ago"
    parts = ["" if grant.basis in (Basis.FIXED, Basis.GRANTED) else fresh, grant.why]
    return HostAccess(
        grant.host,
        grant.network,
        grant.hostname,
        grant.basis,
        grant.since,
        grant.ends,
        ", ".join(part for part in parts if part),
    )


def with_retained(scene: AccessAt, standing: AccessStatus, past: Past) -> AccessAt:
    """The same with what configured hosts are not granted any more and was not withdrawn yet."""
    left = tuple(
        replace(_stayed(one), said=f"{not_withdrawn(standing.decisions[one.host])}, retained")
        for one in past.stays
        if one.ended is None and one.network in standing.retained.get(one.host, ())
    )
    return replace(scene, accesses=(*scene.accesses, *left))


def lingering(scene: AccessAt, past: Past, host: str) -> AccessAt:
    """The same with what a host that is not configured any more has not lost yet."""
    said = "removed from the configuration: ends with the next apply"
    left = tuple(
        replace(_stayed(one), said=said)
        for one in past.stays
        if one.host == host and one.ended is None
    )
    return replace(scene, accesses=(*scene.accesses, *left))


def remembered(
    past: Past, targets: Mapping[str, tuple[Entry, ...]], at: datetime, run: datetime | None
) -> AccessAt:
    """What was the case at an instant, by the history.

    Args:
        past: Everything on record.
        targets: What each target is remembered to hold now.
        at: The instant.
        run: The last run before it.
    """
    names = dict.fromkeys([*targets, *(one.target for one in past.changes)])
    late = [one for one in past.changes if one.at > at]
    holdings = tuple(
        _rewound(name, targets.get(name, ()), [one for one in late if one.target == name])
        for name in sorted(names)
    )
    accesses = tuple(_stayed(one) for one in past.stays if one.at(at))
    return AccessAt(at, run, accesses, holdings if run is not None else (), past=True)


def _stayed(one: AccessPeriod) -> HostAccess:
    return HostAccess(one.host, one.network, one.hostname, None, one.began, one.ended, one.why)


def _rewound(target: str, entries: Iterable[Entry], late: list[PastChange]) -> TargetContents:
    """What a target held before changes, the latest of which led to what it holds now."""
    held = {one.network: one for one in entries}
    doubtful: dict[Network, str] = {}
    for one in reversed(late):
        network = one.entry.network
        if one.again:
            held[network] = one.entry
            doubtful[network] = f"it was found missing on {one.at:%Y-%m-%d %H:%M} UTC"
            continue
        doubtful.pop(network, None)
        if one.action == "add":
            held.pop(network, None)
        else:
            held[network] = one.entry
    ordered = sorted(held.values(), key=lambda entry: by_network(entry.network))
    return TargetContents(target, tuple(ordered), doubtful=doubtful)
