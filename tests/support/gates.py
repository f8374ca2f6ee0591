"""The nftables gate of the packet tests, on the server of the little internet."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.nftables import TYPE, NftablesDenyOptions, NftablesOptions

from allowsync.model.plan import Plan
from allowsync.model.target import Effect, Placement
from allowsync.model.types import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Current
    from allowsync.model.types import Network
    from tests.support.netns import Namespace

GUARDED = 443
FREE = 8080


def port(first: int, protocol: Protocol, last: int = 0) -> Port:
    """A port, or a range."""
    return Port(first, last or first, protocol)


BOTH = (port(GUARDED, Protocol.TCP), port(GUARDED, Protocol.UDP))


def gate(
    *, ports: tuple[Port, ...] = BOTH, interfaces: tuple[str, ...] = ("lo",), allowlist: str = "x"
) -> Backend:
    """A gate in front of ports."""
    options = NftablesOptions(ports=ports, open_interfaces=interfaces)
    return TYPE.make(Placement(allowlist, f"{allowlist}/nftables"), options)


def allow(inside: Namespace, backend: Backend, *wanted: str | Network) -> Current:
    """Let a target hold exactly some networks, as the core would; how it is after that."""
    return inside.run(_allow, backend, [ip_network(one) for one in wanted])


def _allow(backend: Backend, wanted: list[Network]) -> Current:
    backend.apply(planned(backend.read(), wanted))
    return backend.read()


def planned(current: Current, wanted: Iterable[Network], *, rebuild: bool = False) -> Plan:
    """The plan from what a target holds to what it should hold."""
    held, target = {entry.network for entry in current.entries}, set(wanted)
    return Plan(
        "x/nftables",
        add=_entries(target - held),
        remove=_entries(held - target),
        keep=_entries(target & held),
        repair=current.flaws or (("rebuild it",) if rebuild else ()),
    )


def _entries(several: Iterable[Network]) -> tuple[Entry, ...]:
    return tuple(Entry(network) for network in sorted(several, key=str))


def deny_gate(*, ports: tuple[Port, ...] = (), allowlist: str = "x") -> Backend:
    """A gate that drops what its sets hold: at ports, or whatever comes."""
    options = NftablesDenyOptions(ports=ports)
    place = Placement(allowlist, f"{allowlist}/nftables", effect=Effect.DENY)
    return TYPE.make(place, options)
