"""Ports and interfaces as options: what the packet filters have in common."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.kinds import Leaf, Pattern, UnfitError
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.config.schema.nodes import Scalar


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
        """As it is written in a configuration: `443/tcp`, `8000-8010/udp`."""
        return f"{self.numbers}/{self.protocol.value}"

    @property
    def numbers(self) -> str:
        """The number, or both ends of the range: `443`, `8000-8010`."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def merged(ports: Iterable[Port], protocol: Protocol) -> tuple[Port, ...]:
    """The ports of one protocol, sorted, as few ranges as possible."""
    found: list[Port] = []
    wanted = (port for port in ports if port.protocol is protocol)
    for port in sorted(wanted, key=lambda port: (port.first, port.last)):
        if found and port.first <= found[-1].last + 1:
            found[-1] = Port(found[-1].first, max(found[-1].last, port.last), protocol)
        else:
            found.append(port)
    return tuple(found)


_PORT: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?/(tcp|udp)")


class PortKind(Leaf[Port]):
    """A port with its protocol: `443/tcp`, `8000-8010/udp`."""

    @property
    def expected(self) -> str:
        """Two examples say it best."""
        return "a port such as 443/tcp or 8000-8010/udp"

    def read(self, scalar: Scalar) -> Port:
        """The port. Numbers go from 1 to 65535, and a range from low to high."""
        match = _PORT.fullmatch(scalar.text)
        if match is None:
            raise UnfitError
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535:
            raise UnfitError
        return Port(first, last, Protocol(match[3]))

    def schema(self) -> dict[str, Any]:
        """Text of that form."""
        return {"type": "string", "pattern": f"^(?:{_PORT.pattern})$"}

    def show(self, value: Port) -> str:
        """As it is written."""
        return str(value)


def interface() -> Pattern:
    """The kind of a network interface's name; a star at its end stands for anything.

    Linux allows 15 characters. A star alone would open the gate to everybody.
    """
    return Pattern(
        r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}|[A-Za-z0-9_][A-Za-z0-9_.:-]{0,13}\*",
        "an interface such as wg0 or docker*",
        longest=15,
    )
