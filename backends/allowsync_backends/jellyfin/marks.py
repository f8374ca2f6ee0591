"""Marks of ownership in Jellyfin's lists: beside each entry of ours is a mark. Pure.

A list of the server holds addresses and nothing else: no comment, no name. So a mark is an address,
too: one of 100::/64, the prefix whose packets are discarded (RFC 6666). No client has it, so it
admits no client, in any list. 24 of its last 64 bits identify the owner, 40 the entry beside it. An
entry without its mark belongs to others, and a mark without its entry means nothing.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Network

_DISCARD: Final = 0x100 << 112
_OWNER_BITS: Final = 24
_ENTRY_BITS: Final = 40
_PREFIX: Final = _DISCARD >> (_OWNER_BITS + _ENTRY_BITS)
_WIDTH: Final = 128

# Jellyfin up to 10.11 reads a proxy's IPv6 network as a single address where it is so wide.
_MISREAD: Final = 32


class Role(Enum):
    """The purpose of an entry of ours."""

    ENTRY = "entry"  # a wanted network
    GUARD = "guard"  # keeps the meaning of the rest of the list
    RESTART = "restart"  # only a note: a restart of Jellyfin is pending


def network_of(text: str) -> Network | None:
    """Return the network that Jellyfin reads in an entry; None for a name and an exclusion, too."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def pieces(network: Network) -> tuple[Network, ...]:
    """Return the entries for a network: itself, or the halves of one that would be misread."""
    if network.version == 6 and network.prefixlen == _MISREAD:
        return tuple(network.subnets())
    return (network,)


def wholes(piece: Network) -> Iterator[Network]:
    """Yield the networks that an entry may be, or be a part of."""
    yield piece
    if piece.version == 6 and piece.prefixlen == _MISREAD + 1:
        yield piece.supernet()


def mark_of(allowlist: str, role: Role, whole: Network, piece: Network) -> int:
    """Return the mark of an entry, as the number of its address."""
    beside = _digest(f"{allowlist}|{role.value}|{whole}|{piece}", _ENTRY_BITS)
    return owner(allowlist) << _ENTRY_BITS | beside


def owner(allowlist: str) -> int:
    """Return the common part of an allowlist's marks."""
    return _DISCARD >> _ENTRY_BITS | _digest(allowlist, _OWNER_BITS)


def mark_in(network: Network) -> int | None:
    """Return the mark in an entry, of any allowlist; None for all others."""
    if network.version != 6 or network.prefixlen != _WIDTH:
        return None
    number = int(network.network_address)
    return number if number >> (_OWNER_BITS + _ENTRY_BITS) == _PREFIX else None


def is_of(mark: int, owner: int) -> bool:
    """Whether a mark is of an allowlist, for any entry."""
    return mark >> _ENTRY_BITS == owner


def shown(mark: int) -> str:
    """Format a mark as an entry."""
    return str(IPv6Address(mark))


def _digest(text: str, bits: int) -> int:
    from hashlib import sha256

    return int.from_bytes(sha256(text.encode()).digest()[: bits // 8], "big")
