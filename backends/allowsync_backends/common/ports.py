"""Ports and interfaces as options of packet filters."""

from __future__ import annotations

from enum import Enum

from allowsync.model.target import PortRange
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Protocol(Enum):
    """A transport protocol with ports."""

    TCP = "tcp"
    UDP = "udp"


class Port(Value):
    """A port, or a range of ports with both ends included, of one protocol."""

    first: int
    last: int
    protocol: Protocol

    def __str__(self) -> str:
        """Format it as in a configuration: `443/tcp`, `8000-8010/udp`."""
        return f"{self.numbers}/{self.protocol.value}"

    @property
    def numbers(self) -> str:
        """The number, or both ends of the range: `443`, `8000-8010`."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def merged(ports: Iterable[Port], protocol: Protocol) -> tuple[Port, ...]:
    """Return the ports of one protocol, sorted, as few ranges as possible."""
    found: list[Port] = []
    wanted = (port for port in ports if port.protocol is protocol)
    for port in sorted(wanted, key=lambda port: (port.first, port.last)):
        if found and port.first <= found[-1].last + 1:
            found[-1] = Port(found[-1].first, max(found[-1].last, port.last), protocol)
        else:
            found.append(port)
    return tuple(found)


def ranges(ports: Iterable[Port]) -> tuple[PortRange, ...]:
    """Return ports as the core's port ranges."""
    return tuple(PortRange(one.first, one.last, one.protocol.value) for one in ports)
