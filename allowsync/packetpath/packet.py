"""Packets of TCP and UDP: built to ask, and parsed where they arrive."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from allowsync.packetpath.question import Address

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
PROTOCOLS: Final = {"tcp": TCP, "udp": UDP}
SYN, SYN_ACK, _ACK = 0x02, 0x12, 0x10
RESETS: Final = frozenset({0x04, 0x14})
_ANSWERS: Final = 0x3F
_WINDOW: Final = 502  # scaled by 7, as Linux sends after its first packet
_NOTHING, _TIMESTAMPS = 1, 8
_DATA: Final = b"ask\n" * 300
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
NEIGHBOURS: Final = frozenset({135, 136})  # neighbour solicitation and advertisement
_UNREACHABLE: Final = {ICMP: frozenset({3, 11}), ICMP6: frozenset({1, 2, 3, 4})}


class Packet(NamedTuple):
    """The addresses and ports of a packet; of an ICMP error, those of the packet it reports.

    Of neighbour discovery it has the type of the message, and no ports.
    """

    version: int
    protocol: int
    source: Address
    destination: Address
    source_port: int = 0
    destination_port: int = 0
    flags: int = 0
    error: str = ""
    discovery: int = 0


class PacketForm(NamedTuple):
    """The fields in which packets for the same port differ, by operating system and distance.

    Attributes:
        hops: The remaining TTL.
        traffic: The traffic class, with congestion bits (RFC 3168).
        label: The flow label of IPv6, and the identification of IPv4.
        flags: TCP flags beside SYN.
        window: The window of TCP.
        options: TCP options: maximum segment size, timestamps and the like.
        length: The length of a UDP datagram.
    """

    hops: int
    traffic: int = 0
    label: int = 0
    flags: int = 0
    window: int = 64240
    options: bytes = bytes.fromhex("020405b40402080a000000010000000001030307")
    length: int = 4


_WINDOWS: Final = bytes.fromhex("020405b40103030801010402")
_PHONE: Final = bytes.fromhex("02040564010303060101080a000000010000000004020000")
_SMALL: Final = bytes.fromhex("02040218")
# As Linux sends it from nearby; then other systems, and all usual distances.
PLAIN: Final = PacketForm(61)
FORMS: Final = (
    PLAIN,
    PacketForm(64, 0x00, 0x1, 0, 65535, _WINDOWS, 1200),
    PacketForm(63, 0x00, 0x12345, 0xC0, 65535, _PHONE, 40),
    *(PacketForm(hops, label=hops) for hops in (255, 254, 128, 127, 62, 60, 57, 50)),
    PacketForm(119, 0x00, 0x2345, 0, 8192, _WINDOWS, 1),
    PacketForm(110, 0x28, 0x3456, 0, 65535, _SMALL, 512),
    PacketForm(48, 0x10, 0x4567, 0, 29200, length=1200),
    PacketForm(40, 0x02, 0x5678, 0xC0, 65535, _PHONE, 20),
)


def read(data: bytes, network: int = 0) -> Packet | None:
    """Parse a packet of TCP, UDP or neighbour discovery, or an error about one; None for others.

    Args:
        data: Its network header and the rest.
        network: The length of the network header, where that is known.
    """
    try:
        return _read(data, network, nested=False)
    except (IndexError, struct.error, ValueError):
        return None


def _read(data: bytes, network: int, *, nested: bool) -> Packet | None:
    version = data[0] >> 4
    if version == 4:
        protocol, source, destination = data[9], data[12:16], data[16:20]
        at = network or (data[0] & 15) * 4
    elif version == 6:
        protocol, source, destination = data[6], data[8:24], data[24:40]
        at = network or 40
    else:
        return None
    ends = ip_address(source), ip_address(destination)
    if protocol in (TCP, UDP):
        source_port, destination_port = struct.unpack_from(">HH", data, at)
        flags = data[at + 13] if protocol == TCP and len(data) > at + 13 else 0
        return Packet(version, protocol, *ends, source_port, destination_port, flags)
    if protocol == ICMP6 and data[at] in NEIGHBOURS:
        return Packet(version, protocol, *ends, discovery=data[at])
    if not nested and data[at] in _UNREACHABLE.get(protocol, ()):
        about = _read(data[at + 8 :], 0, nested=True)
        return about and about._replace(error=f"ICMP {data[at]}/{data[at + 1]}")
    return None


def sender(data: bytes) -> Address:
    """Return the source address of a packet; of an ICMP error, the source of the error."""
    return ip_address(data[12:16] if data[0] >> 4 == 4 else data[8:24])


def hops(data: bytes) -> int:
    """Return the TTL, or hop limit, of a packet."""
    return data[8] if data[0] >> 4 == 4 else data[7]


def new(
    source: Address,
    destination: Address,
    protocol: int,
    ports: tuple[int, int],
    form: PacketForm = PLAIN,
) -> bytes:
    """Return the packet that opens a connection, preceded by its frame type."""
    if protocol == TCP:
        offset = 5 + len(form.options) // 4 << 4
        rest = struct.pack(">IIBB", 1, 0, offset, SYN | form.flags)
        rest += struct.pack(">HHH", form.window, 0, 0)
        payload = struct.pack(">HH", *ports) + rest + form.options
    else:
        payload = struct.pack(">HHHH", *ports, 8 + form.length, 0) + _DATA[: form.length]
    return _network(source.packed, destination.packed, protocol, payload, form)


def acknowledgement(
    source: Address, destination: Address, ports: tuple[int, int], answer: bytes
) -> bytes:
    """Return the packet that follows an answered SYN, preceded by its frame type."""
    start = answer[(answer[0] & 15) * 4 if answer[0] >> 4 == 4 else 40 :]
    numbers = struct.pack(">II", 2, (int.from_bytes(start[4:8], "big") + 1) & 0xFFFFFFFF)
    options = b""
    if (stamp := _stamp(start[20 : (start[12] >> 4) * 4])) is not None:
        options = bytes.fromhex("0101080a00000002") + stamp
    offset = 5 + len(options) // 4 << 4
    payload = struct.pack(">HH", *ports) + numbers
    payload += struct.pack(">BBHHH", offset, _ACK, _WINDOW, 0, 0) + options
    return _network(source.packed, destination.packed, TCP, payload)


def _stamp(options: bytes) -> bytes | None:
    """Return the timestamp among the options of TCP."""
    at = 0
    while at < len(options) and options[at]:
        if options[at] == _NOTHING:
            at += 1
            continue
        if options[at] == _TIMESTAMPS:
            return options[at + 2 : at + 6]
        at += max(2, options[at + 1]) if at + 1 < len(options) else 2
    return None


def answer(data: bytes) -> bytes | None:
    """Return the packet that accepts a new connection; None for other packets."""
    asked = read(data)
    if asked is None or asked.protocol not in PROTOCOLS.values() or asked.error:
        return None
    if asked.protocol == TCP and asked.flags & _ANSWERS != SYN:
        return None
    start = data[(data[0] & 15) * 4 if asked.version == 4 else 40 :]
    swapped = start[2:4] + start[:2]
    if asked.protocol == TCP:
        rest = struct.pack(">II", 1, 2) + start[12:13] + bytes([SYN_ACK]) + start[14:16]
        payload = swapped + rest + b"\0\0" + start[18:]
    else:
        payload = swapped + start[4:6] + b"\0\0" + start[8:]
    return _network(asked.destination.packed, asked.source.packed, asked.protocol, payload)


def checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def checksum_at(protocol: int) -> int:
    """Return the offset of the checksum in TCP or UDP."""
    return 16 if protocol == TCP else 6


def _network(
    source: bytes, destination: bytes, protocol: int, payload: bytes, form: PacketForm = PLAIN
) -> bytes:
    pseudo = source + destination + struct.pack(">II", len(payload), protocol)
    at = checksum_at(protocol)
    check = checksum(pseudo + payload) or 0xFFFF
    payload = payload[:at] + struct.pack(">H", check) + payload[at + 2 :]
    if len(source) == 16:
        start = 6 << 28 | form.traffic << 20 | form.label
        head = struct.pack(">IHBB", start, len(payload), protocol, form.hops)
        return _IPV6 + head + source + destination + payload
    identified = (form.label + 1) & 0xFFFF
    head = struct.pack(">BBHHH", 0x45, form.traffic, 20 + len(payload), identified, 0x4000)
    head += struct.pack(">BBH", form.hops, protocol, 0) + source + destination
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return _IPV4 + head + payload
