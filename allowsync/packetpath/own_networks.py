"""This machine's own networks and its next hops, as the kernel lists them."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.model.networks import Coverage
from allowsync.packetpath.netlink import ROUTE, ListingInterrupted, Netlink, attributes, first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Network

_GET_ADDRESS, _GET_ROUTE = 22, 26
_ADDRESSES: Final = struct.pack("=BBBBI", 0, 0, 0, 0, 0)
_ROUTES: Final = bytes(12)
# Attributes of addresses (IFA_) and of routes (RTA_), rtnetlink(7).
_PEER, _LOCAL = 1, 2
_DESTINATION, _GATEWAY, _SEVERAL, _VIA = 1, 5, 9, 18
_UNICAST: Final = 1
_CACHED: Final = 0x200
# A wider route to an interface is no network of this machine: a VPN takes all.
_WIDEST: Final = {4: 8, 6: 16}
_TRIES: Final = 20


class OwnNetworks(NamedTuple):
    """The networks of interfaces, and the addresses of next hops."""

    networks: frozenset[Network]
    gateways: frozenset[Network]


def own_networks() -> OwnNetworks:
    """Return those of the current network namespace.

    Raises:
        OSError: The kernel does not list them.
    """
    kernel = Netlink(ROUTE)
    try:
        addresses, routes = (
            _listed(kernel, kind, body)
            for kind, body in ((_GET_ADDRESS, _ADDRESSES), (_GET_ROUTE, _ROUTES))
        )
    finally:
        kernel.close()
    networks = {one for listed in addresses for one in _of_address(listed)}
    networks |= {one for listed in routes for one in _connected(listed)}
    networks = set(Coverage(networks))  # an address is within the network of its interface
    gateways = {one for listed in routes for one in _gateways(attributes(listed[12:]))}
    return OwnNetworks(frozenset(networks), frozenset(gateways))


def _listed(kernel: Netlink, kind: int, body: bytes) -> list[bytes]:
    for _ in range(_TRIES):
        try:
            return kernel.dump(kind, body)
        except ListingInterrupted:
            continue
    raise OSError("addresses and routes change all the time")


def _of_address(listed: bytes) -> Iterator[Network]:
    """Yield the network of an interface by one of its addresses, and the address itself."""
    held, width = attributes(listed[8:]), listed[1]
    for kind, length in ((_PEER, width), (_LOCAL, None)):
        if (packed := first(held, kind)) is not None:
            yield _network(packed, length)


def _connected(listed: bytes) -> Iterator[Network]:
    """Yield the network of a directly connected route."""
    held, width = attributes(listed[12:]), listed[1]
    packed = first(held, _DESTINATION)
    direct = not any(first(held, one) for one in (_GATEWAY, _VIA, _SEVERAL))
    if packed is None or not direct or listed[7] != _UNICAST or _flags(listed) & _CACHED:
        return
    if width >= _WIDEST[_version(packed)]:
        yield _network(packed, width)


def _gateways(held: list[tuple[int, bytes]]) -> Iterator[Network]:
    """Yield the next hops of a route, of multipath routes as well."""
    if packed := first(held, _GATEWAY):
        yield _network(packed)
    if via := first(held, _VIA):
        yield _network(via[2:])
    several = first(held, _SEVERAL) or b""
    while len(several) >= 8:
        size = struct.unpack_from("=H", several)[0]
        if size < 8:
            return
        yield from _gateways(attributes(several[8:size]))
        several = several[(size + 3) & ~3 :]


def _flags(listed: bytes) -> int:
    return int(struct.unpack_from("=I", listed, 8)[0])


def _version(packed: bytes) -> int:
    return 4 if len(packed) == 4 else 6


def _network(packed: bytes, width: int | None = None) -> Network:
    address = ip_address(packed)
    return ip_network((address, address.max_prefixlen if width is None else width), strict=False)
