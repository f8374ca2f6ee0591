"""Access of hosts and contents of targets at an instant: now, or reconstructed from the history.

The past is reconstructed by undoing recorded changes, newest first, from the remembered contents
of the targets. Unknown facts are reported as unknown, never guessed.
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
    """Access of a host from one network.

    Attributes:
        host: The host.
        network: The network.
        hostname: The hostname that resolved to it; empty for a fixed network.
        basis: The basis of the grant; None where only the history is known.
        since: The start of the access.
        until: The end of the access, past or expected; None when none is known.
        said: The age of its confirmation, or the reason for its end, as text.
    """

    host: str
    network: Network
    hostname: str
    basis: Basis | None
    since: datetime
    until: datetime | None
    said: str


class TargetContents(Value):
    """The contents of one target.

    Attributes:
        target: Its full name.
        entries: Its entries, with the hosts that own them.
        others: Foreign entries at the same place.
        doubtful: Entries whose presence is uncertain, each with the reason.
        unknown: The reason why the contents are unknown; empty when they are known.
        beside: The families that another target of the allowlist holds instead of this one.
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
        """The accesses, except those of families that another target holds instead."""
        return tuple(one for one in accesses if Family.of(one.network) not in self.beside)


class AccessAt(Value):
    """Access and target contents at one instant, as far as known.

    Attributes:
        at: The instant.
        run: The last run before it; None when none is recorded.
        accesses: The hosts' accesses.
        holdings: The contents of the targets.
        past: Whether the history is the only source.
        gates: Orphaned gates, which drop packets from other source addresses.
        unclear: Hosts of unknown access, which may have it all the same.
    """

    at: datetime
    run: datetime | None
    accesses: tuple[HostAccess, ...]
    holdings: tuple[TargetContents, ...]
    past: bool
    gates: tuple[TargetContents, ...] = ()
    unclear: frozenset[str] = frozenset()


def present(standing: AccessStatus) -> AccessAt:
    """Access and target contents now."""
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
    """The same, with networks that are no longer granted and not withdrawn yet."""
    left = tuple(
        replace(_stayed(one), said=f"{not_withdrawn(standing.decisions[one.host])}, retained")
        for one in past.stays
        if one.ended is None and one.network in standing.retained.get(one.host, ())
    )
    return replace(scene, accesses=(*scene.accesses, *left))


def lingering(scene: AccessAt, past: Past, host: str) -> AccessAt:
    """The same, with the remaining access of a host that was removed from the configuration."""
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
    """Access and target contents at an instant, according to the history.

    Args:
        past: The history.
        targets: The remembered contents of each target now.
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
    """The contents of a target before later changes, given its contents now."""
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
