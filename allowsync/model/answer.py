"""The DNS answer to one question. Unknown is a value of its own, never an empty answer."""

from __future__ import annotations

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from allowsync.model.types import Address


class Found(Value):
    """The DNS gave addresses: sorted, without repetition, never empty. `ttl` is in seconds."""

    addresses: tuple[Address, ...]
    ttl: int


class Absent(Value):
    """The DNS proved that there is no such address (RFC 2308): `NXDOMAIN` or `NODATA`."""

    reason: str


class Unavailable(Value):
    """No trustworthy answer arrived. It says nothing about the name.

    `suspicious` marks an answer that no home network would give.
    """

    reason: str
    suspicious: bool = False


Answer: TypeAlias = Found | Absent | Unavailable
