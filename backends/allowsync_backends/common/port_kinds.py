"""The kinds of ports and interfaces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.kinds import Leaf, ListOf, Pattern, UnfitError
from allowsync_backends.common.ports import Port, Protocol

if TYPE_CHECKING:
    from allowsync.config.schema.nodes import Scalar

_PORT: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp))?")


class PortKind(Leaf[Port]):
    """A port: `443/tcp`, `8000-8010/udp`; without a protocol (`8096`) it is one of TCP."""

    pure = True

    @property
    def expected(self) -> str:
        """Examples of ports."""
        return "a port such as 443, 443/udp or 8000-8010/tcp"

    def read(self, scalar: Scalar) -> Port:
        """Read a port. Numbers go from 1 to 65535, and a range from low to high."""
        match = _PORT.fullmatch(scalar.text)
        if match is None:
            raise UnfitError
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535:
            raise UnfitError
        return Port(first, last, Protocol(match[3] or Protocol.TCP))

    def schema(self) -> dict[str, Any]:
        """Return the schema: text of that form, or a number."""
        text = {"type": "string", "pattern": f"^(?:{_PORT.pattern})$"}
        return {"anyOf": [text, {"type": "integer", "minimum": 1, "maximum": 65535}]}

    def show(self, value: Port) -> str:
        """Format it as in a configuration."""
        return str(value)


def interface() -> Pattern:
    """Return the kind of an interface's name; a star at its end matches any suffix.

    Linux allows 15 characters. A star alone would open the gate to all sources.
    """
    return Pattern(
        r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}|[A-Za-z0-9_][A-Za-z0-9_.:-]{0,13}\*",
        "an interface such as wg0 or docker*",
        longest=15,
    )


def port_list() -> ListOf[Port]:
    """Return the kind of a list of ports."""
    return ListOf(PortKind(), unique=True)


def interface_list() -> ListOf[str]:
    """Return the kind of a list of network interfaces."""
    return ListOf(interface(), unique=True)
