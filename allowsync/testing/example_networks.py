"""Networks that the contract of backends adds to a target."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import around
from allowsync.model.types import Entry, Family, Network, by_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.target import Current

# Global addresses that no backend has a reason to refuse, from widest to narrowest; each family's
# `wide` covers its `narrow`.
WIDE: Final[dict[Family, Network]] = {
    Family.IPV4: IPv4Network("81.2.69.0/24"),
    Family.IPV6: IPv6Network("2a02:8109:9a40::/48"),
}
NARROW: Final[dict[Family, Network]] = {
    Family.IPV4: IPv4Network("81.2.69.0/25"),
    Family.IPV6: IPv6Network("2a02:8109:9a40::/64"),
}


def nth(family: Family, number: int, prefix: int) -> Network:
    """One of many networks of a width that do not overlap, in global address space."""
    if family is Family.IPV4:
        return IPv4Network(((90 << 24) + (number << (32 - prefix)), prefix))
    return IPv6Network(((0x2A02 << 112) + (number << (128 - prefix)), prefix))


def networks(current: Current) -> list[Network]:
    """The networks of a target, sorted."""
    return sorted((entry.network for entry in current.entries), key=by_network)


def entries(several: Iterable[Network]) -> tuple[Entry, ...]:
    """An entry of each network."""
    return tuple(Entry(network) for network in sorted(several, key=by_network))


def supernet(network: Network, prefix: int) -> Network:
    """The network of that width that covers another."""
    return network.supernet(new_prefix=prefix)


def lowest_address(of: Network) -> Network:
    """The first address of a network, as a network."""
    return around(of.network_address, of.max_prefixlen)
