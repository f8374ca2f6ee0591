"""The interfaces of the copy: each a veth of the same name, its peer outside."""

from __future__ import annotations

import os
import struct
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath.isolation import enter
from allowsync.packetpath.netlink import (
    CREATE,
    EXCLUSIVE,
    REPLACE,
    ROUTE,
    Attributes,
    Netlink,
    attribute,
    attributes,
    first,
    given,
    native,
    packed,
    text,
)
from allowsync.packetpath.original import GET_LINK, LINKS
from allowsync.packetpath.question import PacketsUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.packetpath.original import Link, Original

NEW_LINK, NEW_NEIGHBOUR = 16, 28
OUTER_MAC: Final = bytes.fromhex("0200000000fe")
_UP, _NO_ARP = 0x1, 0x80
_SMALLEST_MTU, _LARGEST_MTU = 1280, 65535
_PERMANENT: Final = 0x80
_RUNNING: Final = 0x40
_FORWARDING: Final = b"\x03"  # BR_STATE_FORWARDING
_OPERATING: Final = b"\x06"  # IF_OPER_UP
_PATIENCE, _PAUSE = 5.0, 0.005


class Cables(NamedTuple):
    """The interfaces of the copy.

    Attributes:
        ends: Those that are cables, by index; a bridge or VRF is none.
        outer: The index of each one's peer.
        macs: The hardware address of each interface of the copy.
        bridges: The interfaces that are bridges in the copy, too.
    """

    ends: Mapping[int, Link]
    outer: Mapping[int, int]
    macs: Mapping[int, bytes]
    bridges: frozenset[int]


def lay(original: Original, outside: int, inside: int, refused: list[str]) -> Cables:
    """Make the interfaces in the namespace `inside`, their peers in `outside`."""
    links = original.links
    bridges = _bridges(original)
    netlink = Netlink(ROUTE)
    ends = {}
    for link in links.values():
        if link.name == "lo":
            continue
        errno = netlink.request(NEW_LINK, CREATE | EXCLUSIVE, _made(link, bridges, outside))
        if errno:
            refused.append(f"interface {link.name}: {os.strerror(errno)}")
        elif link.kind != "vrf" and link.index not in bridges:
            ends[link.index] = link
    for link in links.values():
        if (master := links.get(link.master)) and (master.kind == "vrf" or master.index in bridges):
            body = _about(link.index) + attribute(10, struct.pack("=I", master.index))
            if errno := netlink.request(NEW_LINK, 0, body):
                refused.append(f"{link.name} in {master.name}: {os.strerror(errno)}")
    macs = {index: mac for index, (_, mac) in _present(netlink).items()}
    netlink.close()
    enter(outside)
    beyond = Netlink(ROUTE)
    outer = {int(name[1:]): at for at, (name, _) in _present(beyond).items() if name[0] == "p"}
    beyond.close()
    enter(inside)
    return Cables(ends, outer, macs, bridges)


def switch_on(netlink: Netlink, index: int) -> None:
    """Switch an interface on."""
    netlink.request(NEW_LINK, 0, struct.pack("=BBHiII", 0, 0, 0, index, _UP, _UP))


def await_carrier(index: int) -> None:
    """Wait until an end of a cable sends: the one that was switched on before its peer.

    The kernel opens it a little later, more so on a busy machine, and silently drops packets sent
    before. Newer kernels do it when queried.

    Raises:
        PacketsUnavailable: It does not.
    """
    end = time.monotonic() + _PATIENCE
    with closing(Netlink(ROUTE)) as netlink:
        while time.monotonic() < end:
            (body,) = netlink.get(GET_LINK, _about(index))
            if given(attributes(body[16:]), 16) == _OPERATING:
                return
            time.sleep(_PAUSE)
    raise PacketsUnavailable("an interface does not come up in the copy")


def await_bridge(bridge: int, port: int) -> None:
    """Wait until a port of a bridge forwards, which takes the kernel a little longer.

    Raises:
        PacketsUnavailable: It does not.
    """
    end = time.monotonic() + _PATIENCE
    netlink = Netlink(ROUTE)
    try:
        while time.monotonic() < end:
            every = netlink.dump(GET_LINK, LINKS)
            found = {int(struct.unpack_from("=BBHi", one)[3]): one for one in every}
            if _forwards(found[port]) and native(found[bridge][8:12]) & _RUNNING:
                return
            time.sleep(_PAUSE)
    finally:
        netlink.close()
    raise PacketsUnavailable("a bridge does not come up in the copy")


def _forwards(body: bytes) -> bool:
    """Whether an interface is a forwarding port of a bridge."""
    held = attributes(given(attributes(given(attributes(body[16:]), 18)), 5))
    return given(held, 1) == _FORWARDING


def add_neighbour(netlink: Netlink, index: int, address: bytes) -> None:
    """Add a permanent neighbour entry for an address outside."""
    family = 2 if len(address) == 4 else 10
    body = struct.pack("=BBHiHBB", family, 0, 0, index, _PERMANENT, 0, 0)
    netlink.request(NEW_NEIGHBOUR, CREATE | REPLACE, body + packed([(1, address), (2, OUTER_MAC)]))


def _bridges(original: Original) -> frozenset[int]:
    """Return the bridges where packets arrive: those with an uplink or hardware."""
    hardware = {one.master for one in original.links.values() if not one.kind}
    return frozenset(
        index
        for index, one in original.links.items()
        if one.kind == "bridge" and (index in original.uplinks or index in hardware)
    )


def _made(link: Link, bridges: frozenset[int], outside: int) -> bytes:
    """Return the request to make an interface like another: same index, name, address and MTU."""
    is_bridge = link.index in bridges
    flags = 0 if is_bridge else _NO_ARP
    head = struct.pack("=BBHiII", 0, 0, 0, link.index, flags, _NO_ARP)
    body: Attributes = [(3, link.name.encode() + b"\0"), (27, link.group)]
    if len(link.mac) == 6 and any(link.mac) and not link.mac[0] & 1:
        body.append((1, link.mac))
    if link.mtu >= _SMALLEST_MTU:
        body.append((4, struct.pack("=I", min(link.mtu, _LARGEST_MTU))))
    if link.kind == "vrf":
        body.append((18, link.info))
    elif is_bridge:
        body.append((18, attribute(1, b"bridge\0")))
    else:
        other = _about(0) + packed([(3, b"p%d\0" % link.index), (28, struct.pack("=I", outside))])
        body.append((18, attribute(1, b"veth\0") + attribute(2, attribute(1, other))))
    return head + packed(body)


def _about(index: int) -> bytes:
    return struct.pack("=BBHiII", 0, 0, 0, index, 0, 0)


def _present(netlink: Netlink) -> dict[int, tuple[str, bytes]]:
    """Return name and hardware address of each interface present."""
    found = {}
    for body in netlink.dump(GET_LINK, LINKS):
        held = attributes(body[16:])
        index = int(struct.unpack_from("=BBHi", body)[3])
        found[index] = (text(first(held, 3)), given(held, 1))
    return found
