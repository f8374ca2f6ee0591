"""Addresses behind the machine: possible destinations of forwarded packets. Pure."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import islice
from typing import TYPE_CHECKING

from allowsync.packetpath.netlink import attributes, first, given, native
from allowsync.packetpath.original import leads_to
from allowsync.packetpath.question import is_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Network, IPv6Network
    from typing import TypeAlias

    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

    Network: TypeAlias = IPv4Network | IPv6Network

MOST_NETWORKS, MOST_NEIGHBOURS = 64, 16  # the latter of each network
_LOOPBACK, _UNICAST, _CLONED = 1, 1, 0x200


def behind(original: Original, arriving: int) -> tuple[Address, ...]:
    """Return addresses, not the machine's own, that packets from an uplink may be sent to.

    Of each network of another interface the known neighbours, or one possible address. Packets to
    private addresses come from afar only where the uplink has a private address itself.
    """
    own = {one for index in original.all_links for one in original.addresses(index)}
    inside = {one.version for one in original.addresses(arriving) if is_private(one)}
    found: list[Address] = []
    for network, seen in islice(networks_behind(original).items(), MOST_NETWORKS):
        chosen = seen[:MOST_NEIGHBOURS] or list(_possible(network, own))
        found += [one for one in chosen if one.version in inside or not is_private(one)]
    return tuple(dict.fromkeys(found))


def networks_behind(original: Original) -> dict[Network, list[Address]]:
    """Return the networks of interfaces that are no uplinks, each with its known neighbours."""
    own = {one for index in original.all_links for one in original.addresses(index)}
    return {
        network: [one for one in _neighbours(original, index) if one in network and one not in own]
        for index, network in dict.fromkeys(_networks(original))
    }


def neighbours(original: Original) -> dict[Address, str]:
    """Return the hardware address of each neighbour that the machine knows."""
    return {
        ip_address(given(held, 1)): given(held, 2).hex(":")
        for _, held in original.routing.neighbours
        if given(held, 1) and given(held, 2)
    }


def _networks(original: Original) -> Iterator[tuple[int, Network]]:
    """Yield the networks routed to interfaces that are no uplinks."""
    outside = {_LOOPBACK, *original.uplinks}
    for route in original.routing.routes:
        to = first(attributes(route[12:]), 1)
        if to is None or route[7] != _UNICAST or native(route[8:12]) & _CLONED:
            continue
        network = ip_network((to, route[1]))
        inner = [one for one in leads_to(route) if one not in outside and one in original.links]
        if inner and not network.is_link_local:
            yield inner[0], network


def _neighbours(original: Original, index: int) -> Iterator[Address]:
    for where, held in original.routing.neighbours:
        if where == index and given(held, 2) and given(held, 1):
            yield ip_address(given(held, 1))


def _possible(network: Network, own: set[Address]) -> Iterator[Address]:
    """Yield an address that a device of the network could have."""
    if network.num_addresses == 1:
        few = [network.network_address]
    else:
        few = [network.network_address + one for one in range(1, min(network.num_addresses, 8))]
    yield from [one for one in few if one not in own][:1]
