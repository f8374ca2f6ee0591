"""Uplinks of a VPN: outgoing traffic uses them, and strangers cannot connect through them.

A tunnel's only neighbour is its other end, which lets through peers with private addresses, and
strangers where it forwards ports. Where this machine's traffic to the internet leaves by such a
tunnel, the tunnel is its way out, and another uplink its way in. A tunnel that is an uplink for
answers alone (by a rule for its own address) is a way in.
"""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import ROUTE, Netlink, attributes, first
from allowsync.packetpath.original import leads_to
from allowsync.packetpath.question import is_private
from allowsync.packetpath.routing import ways_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.packetpath.original import Link, Original

# Addresses beyond every uplink: those of root name servers.
_FAR: Final = tuple(ip_address(one) for one in ("198.41.0.4", "2001:503:ba3e::2:30"))
# Tunnels to an access provider, and hardware that looks like a tunnel, have no kind or these.
_ACCESS: Final = ("", "ppp", "wwan")
_GATEWAYS: Final = (5, 9, 18)  # RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA


def vpns(original: Original) -> tuple[str, ...]:
    """Return the uplinks of a VPN, in the network namespace of the machine itself."""
    uplinks = [original.all_links[one] for one in original.uplinks]
    tunnels = [one for one in uplinks if _is_tunnel(original, one)]
    if len(tunnels) == len(uplinks):  # there is no other way in
        return ()
    out = set(_ways_out())
    return tuple(one.name for one in tunnels if one.index in out)


def _is_tunnel(original: Original, link: Link) -> bool:
    """Whether an interface has no address that distant packets could reach by themselves."""
    own = original.addresses(link.index)
    if link.kind in _ACCESS or not own or not all(map(is_private, own)):
        return False
    return link.is_tunnel or not any(_has_gateway(original, link.index))


def _has_gateway(original: Original, index: int) -> Iterator[bool]:
    """Yield for each wide route of an interface whether it names a gateway."""
    for route in original.routing.routes:
        if route[1] <= 1 and index in leads_to(route):
            held = attributes(route[12:])
            yield any(first(held, one) is not None for one in _GATEWAYS)


def _ways_out() -> Iterator[int]:
    """Yield the interfaces of this machine's own traffic to the internet."""
    with closing(Netlink(ROUTE)) as netlink:
        for address in _FAR:
            yield from ways_to(address, netlink)
