"""The interfaces where packets of a source address arrive: uplinks, or one that leads inside."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import attributes, given, native
from allowsync.packetpath.question import is_private
from allowsync.packetpath.routing import ways_to

if TYPE_CHECKING:
    from allowsync.packetpath.netlink import Netlink
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

_LOOPBACK: Final = 1
_MAC: Final = 6
_NO_ARP, _HAS_ONE_NEIGHBOUR = 0x80, 0x10
_ETHERNET: Final = ("", "veth", "bond", "bridge", "vlan", "macvlan")
_IGNORES_ALL: Final = 8  # arp_ignore (Documentation/networking/ip-sysctl.rst)
NOT_ROUTED = "the internet has no way from there, and no other interface leads there than"


def arrivals(source: Original, netlink: Netlink, address: Address) -> tuple[str, ...]:
    """Return the names of the interfaces where packets of a source address arrive.

    Packets of an inside host, in a LAN or a VPN, arrive at the interface there: of a private
    address routed to it, or any address of its network. Packets of other addresses routed there
    may still arrive at an uplink, and their answers be lost. Own packets come over loopback.
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


def unheard(version: int, index: int, source: Original) -> str:
    """Return the reason why the router may not find this machine on an uplink; "" if it does.

    ARP and neighbour discovery are not copied: interfaces of the copy resolve no neighbours.
    """
    link = source.all_links[index]
    if index not in source.uplinks or len(link.mac) != _MAC or link.flags & _HAS_ONE_NEIGHBOUR:
        return ""
    if link.flags & _NO_ARP and link.kind in _ETHERNET and not _is_modem(link.name):
        return f"{link.name} asks no neighbours, and answers none (arp off)"
    ignored = (source.settings.get(f"ipv4/conf/{one}/arp_ignore") for one in ("all", link.name))
    if version == 4 and max(int(one or 0) for one in ignored) == _IGNORES_ALL:
        return f"{link.name} answers no ARP request (arp_ignore={_IGNORES_ALL})"
    return ""


def _is_modem(name: str) -> bool:
    """Whether an interface is a mobile modem, which has no neighbours to resolve (cdc_mbim)."""
    try:
        return "DEVTYPE=wwan" in Path(f"/sys/class/net/{name}/uevent").read_text()
    except OSError:
        return False


def never_comes(address: Address, index: int, source: Original) -> str:
    """Return the reason why no packet of an address arrives at an interface; "" where it may."""
    if index not in source.uplinks or not is_private(address):
        return ""
    same = [one for one in source.addresses(index) if one.version == address.version]
    if not same or any(map(is_private, same)):
        return ""
    return f"{address}: {NOT_ROUTED} {source.all_links[index].name}"
