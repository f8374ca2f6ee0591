"""By which interfaces the packets of an address come: the uplinks, or one that leads inside."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import attributes, given, native
from allowsync.packetpath.question import is_private
from allowsync.packetpath.routing import ways_to

if TYPE_CHECKING:
    from allowsync.packetpath.netlink import Netlink
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

_LOOPBACK: Final = 1
NOT_ROUTED = "the internet has no way from there, and no other interface leads there than"


def arrivals(source: Original, netlink: Netlink, address: Address) -> tuple[str, ...]:
    """The names of the interfaces by which packets of an address come.

    Who is inside, as in a LAN or a VPN, comes by the interface there: a private address that is
    routed to one, or any in the network that one is in. Other addresses that are routed so may
    come by an uplink, and their answers be lost. This machine's own packets come over loopback.
    """
    own = any(address in source.addresses(index) for index in source.all_links)
    if own or address.is_loopback:
        return ()
    ways = ways_to(address, netlink)
    inside = [one for one in ways if is_private(address) or _is_in_network(address, one, source)]
    if inside and not {_LOOPBACK, *source.uplinks}.intersection(ways):
        return tuple(source.links[one].name for one in ways if one in source.links)
    several = [one for one in source.uplinks if not never_comes(address, one, source)]
    return tuple(source.all_links[one].name for one in several or source.uplinks)


def _is_in_network(address: Address, index: int, source: Original) -> bool:
    """Whether an interface has an address in the same network."""
    for one in source.routing.addresses:
        if native(one[4:8]) == index:
            held = given(attributes(one[8:]), 1)
            if address in ip_network((held, one[1]), strict=False):
                return True
    return False


def never_comes(address: Address, index: int, source: Original) -> str:
    """Why no packet of an address arrives at an interface; "" where it may."""
    if index not in source.uplinks or not is_private(address):
        return ""
    same = [one for one in source.addresses(index) if one.version == address.version]
    if not same or any(map(is_private, same)):
        return ""
    return f"{address}: {NOT_ROUTED} {source.all_links[index].name}"
