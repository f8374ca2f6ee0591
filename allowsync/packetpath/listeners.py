"""The listening sockets of programs: their owners, addresses and holders."""

from __future__ import annotations

import struct
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath.netlink import (
    SOCKETS,
    ListingInterrupted,
    Netlink,
    attributes,
    first,
    native,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.packetpath.netlink import Attributes

    Address: TypeAlias = IPv4Address | IPv6Address

_LISTENS: Final = {"tcp": "0A", "udp": "07"}  # states (tcp_states.h)
_INIT: Final = "1"  # systemd holds the sockets of many programs
_ADDRESS, _STATE, _OWNER, _INODE = 1, 3, 7, 9
_PROTOCOLS: Final = {"tcp": 6, "udp": 17}
_FAMILIES: Final = (2, 10)
_BY_FAMILY: Final = 20  # SOCK_DIAG_BY_FAMILY
_MESSAGE: Final = 72  # bytes of struct inet_diag_msg
_PORT_AT, _DEVICE_AT, _INODE_AT = 4, 40, 68
_ONLY_IPV6: Final = 11  # INET_DIAG_SKV6ONLY


class ListeningSocket(NamedTuple):
    """A socket that receives packets.

    Attributes:
        version: Of IP; a socket of 6 may receive packets of IPv4 as well.
        address: The bound address; unspecified where it receives any.
        owner: The user whose program made it.
        device: The index of the bound interface; 0 for none, or without a report of the kernel.
        only_ipv6: Whether it receives no IPv4.
    """

    protocol: str
    version: int
    address: Address
    port: int
    owner: int
    inode: str
    device: int = 0
    only_ipv6: bool = False

    def takes(self, address: Address, devices: Iterable[int]) -> bool:
        """Whether it receives packets for an address that arrive at an interface or its masters."""
        if self.device not in (0, *devices):
            return False
        own = getattr(self.address, "ipv4_mapped", None) or self.address
        if not own.is_unspecified:
            return own == address
        return own.version == address.version or (own.version == 6 and not self.only_ipv6)


def listeners() -> tuple[ListeningSocket, ...]:
    """Return those of the current network namespace."""
    narrow = dict(_narrow())
    return tuple(
        one._replace(device=device, only_ipv6=only_ipv6)
        for protocol in _LISTENS
        for version in (4, 6)
        for one in _listed(protocol, version)
        for device, only_ipv6 in (narrow.get(one.inode, (0, False)),)
    )


def sockets(protocol: str) -> Iterator[tuple[bytes, int, Attributes]]:
    """Yield each listening socket, as sock_diag(7) lists it, with its port and attributes.

    A kernel without sock_diag yields none.
    """
    state = int(_LISTENS[protocol], 16)
    for family in _FAMILIES:
        asked = struct.pack("=BBBxI", family, _PROTOCOLS[protocol], 0, 1 << state) + bytes(48)
        try:
            with closing(Netlink(SOCKETS)) as netlink:
                listed = netlink.dump(_BY_FAMILY, asked)
        except (OSError, ListingInterrupted):
            continue
        for one in listed:
            (port,) = struct.unpack_from(">H", one, _PORT_AT)
            yield one, port, attributes(one[_MESSAGE:])


def _narrow() -> Iterator[tuple[str, tuple[int, bool]]]:
    """Yield by inode the interface a socket is bound to, and whether it receives IPv6 alone."""
    for protocol in _LISTENS:
        for one, _, held in sockets(protocol):
            (device,), (inode,) = (
                struct.unpack_from("=I", one, at) for at in (_DEVICE_AT, _INODE_AT)
            )
            yield str(inode), (device, bool(native(first(held, _ONLY_IPV6))))


def served_twice(every: Iterable[ListeningSocket]) -> tuple[int, ...]:
    """Return ports where one program listens by TCP and by UDP, as a web server with HTTP/3."""
    several = tuple(one for one in every if not one.address.is_loopback)
    tcp, udp = ({one.port for one in several if one.protocol == name} for name in _LISTENS)
    both = {one.inode: one for one in several if one.port in tcp & udp}
    held: dict[int, set[tuple[str, str]]] = {one.port: set() for one in both.values()}
    for process, inode in _held() if both else ():
        if (one := both.get(inode)) is not None:
            held[one.port].add((process, one.protocol))
    return tuple(sorted(port for port, holders in held.items() if _is_one(holders)))


def _is_one(holders: set[tuple[str, str]]) -> bool:
    """Whether one process holds a socket of each protocol."""
    return any((process, "udp") in holders for process, protocol in holders if protocol == "tcp")


def _listed(protocol: str, version: int) -> Iterator[ListeningSocket]:
    try:
        lines = Path(f"/proc/net/{protocol}{'6' if version == 6 else ''}").read_text().splitlines()
    except FileNotFoundError:  # a machine without IPv6
        return
    for line in lines[1:]:
        parts = line.split()
        held, port = parts[_ADDRESS].split(":")
        if parts[_STATE] == _LISTENS[protocol]:
            owner, inode = int(parts[_OWNER]), parts[_INODE]
            yield ListeningSocket(protocol, version, _address(held), int(port, 16), owner, inode)


def _address(listed: str) -> Address:
    """Parse an address as `/proc/net` lists it: words of 32 bits in the processor's order."""
    words = (int(listed[at : at + 8], 16) for at in range(0, len(listed), 8))
    return ip_address(b"".join(struct.pack("=I", one) for one in words))


def _held() -> Iterator[tuple[str, str]]:
    """Yield each process with the inode of a socket that it holds."""
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == _INIT:
            continue
        try:
            names = [str(one.readlink()) for one in (process / "fd").iterdir()]
        except OSError:  # the process ended, or belongs to another user
            continue
        for name in names:
            if name.startswith("socket:["):
                yield process.name, name[8:-1]
