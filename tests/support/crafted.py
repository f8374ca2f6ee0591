"""Datagrams cut and wrapped by hand, the way somebody would who looks for a way around a gate."""

from __future__ import annotations

import socket
import struct
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.netns import Namespace

UDP = 17
FRAGMENT = 44  # the IPv6 header for fragments (RFC 8200, 4.5)
DESTINATION_OPTIONS = 60
HOP_BY_HOP = 0

# Each datagram has a number of its own: what is left of one that was dropped in part waits for half
# a minute for a rest, and would spoil the next of the same number.
_numbers = count(1)

PADDING = bytes((1, 4, 0, 0, 0, 0))  # an option that fills six octets (PadN)


def udp(source: str, target: str, port: int, data: bytes = b"knock") -> bytes:
    """A UDP header with its data and checksum (RFC 768, RFC 8200)."""
    length = 8 + len(data)
    if ":" in target:
        ends = _packed(socket.AF_INET6, source, target)
        pseudo = ends + struct.pack("!II", length, UDP)
    else:
        ends = _packed(socket.AF_INET, source, target)
        pseudo = ends + struct.pack("!HH", UDP, length)
    bare = struct.pack("!HHHH", 40000, port, length, 0) + data
    return struct.pack("!HHHH", 40000, port, length, _checksum(pseudo + bare)) + data


def _packed(family: socket.AddressFamily, *addresses: str) -> bytes:
    return b"".join(socket.inet_pton(family, address) for address in addresses)


def _checksum(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def wrapped(kind: int, inner_kind: int, inner: bytes) -> tuple[int, bytes]:
    """An extension header with nothing but padding around something: its kind, and all of it."""
    return kind, bytes((inner_kind, 0)) + PADDING + inner


def ipv6(source: str, target: str, kind: int, payload: bytes) -> bytes:
    """A whole IPv6 packet."""
    ends = _packed(socket.AF_INET6, source, target)
    return struct.pack("!IHBB", 6 << 28, len(payload), kind, 64) + ends + payload


def ipv6_fragments(
    source: str, target: str, kind: int, payload: bytes, first: int
) -> tuple[bytes, ...]:
    """A payload in two fragments, or in one that is alone if `first` takes all of it.

    Args:
        source: Where they come from.
        target: Where they go.
        kind: What the payload is.
        payload: What is cut.
        first: The octets in the first fragment, a multiple of 8 unless it takes all.
    """
    number = next(_numbers)
    cut = [(0, payload[:first])] + ([(first, payload[first:])] if payload[first:] else [])
    return tuple(
        ipv6(
            source,
            target,
            FRAGMENT,
            struct.pack("!BBHI", kind, 0, offset | (offset + len(piece) < len(payload)), number)
            + piece,
        )
        for offset, piece in cut
    )


def ipv4_fragments(source: str, target: str, payload: bytes, first: int) -> tuple[bytes, ...]:
    """A UDP payload in two IPv4 fragments. The kernel fills in the header's checksum."""
    ends = _packed(socket.AF_INET, source, target)
    more, number = 0x2000, next(_numbers)
    return tuple(
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number, flags | offset // 8, 64, UDP, 0)
        + ends
        + piece
        for offset, flags, piece in ((0, more, payload[:first]), (first, 0, payload[first:]))
    )


def emit(inside: Namespace, target: str, *packets: bytes) -> None:
    """Send whole packets as they are."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with inside.run(socket.socket, family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for packet in packets:
            raw.sendto(packet, (target, 0))
