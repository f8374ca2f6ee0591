"""Reading the one plain shape that nearly every answer of dynamic DNS has, without dnspython.

One question and addresses that belong to its very name, and nothing else: no CNAME, no other
section, no byte too many. Reading that takes a few comparisons, where importing and running a whole
parser takes fifty times as long. Whatever has another shape is for `classify` to read; a test holds
both to the same answers.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from allowsync.model.answer import Found
from allowsync.model.types import Family

if TYPE_CHECKING:
    from allowsync.model.types import Address, Query

HEADER: Final = 12
MOST: Final = 16  # addresses in one answer; more are not plain
MAX_TTL: Final = 2**31 - 1  # RFC 2181 section 8

# A pointer to the question's name, the type asked for, class IN: how each record begins.
_STARTS: Final = {
    Family.IPV4: b"\xc0\x0c\x00\x01\x00\x01",
    Family.IPV6: b"\xc0\x0c\x00\x1c\x00\x01",
}


def read_plain(wire: bytes, query: Query, question: int) -> Found | None:
    """The addresses in a plain answer; None for an answer of any other shape.

    Args:
        wire: A response whose id and question were compared with those sent.
        query: What was asked.
        question: How long the question section is, in bytes.
    """
    # QR set, opcode QUERY, not truncated, rcode NOERROR, one question and answers alone. The
    # reserved bit must be zero; AA, RD, RA, AD and CD may be anything.
    if wire[2] & 0xFA != 0x80 or wire[3] & 0x4F or wire[4:6] != b"\x00\x01" or any(wire[8:12]):
        return None
    count, start = int.from_bytes(wire[6:8], "big"), _STARTS[query.family]
    size = query.family.bits // 8
    length = len(start) + 6 + size
    if not 0 < count <= MOST or len(wire) != HEADER + question + count * length:
        return None
    addresses: set[Address] = set()
    times: set[bytes] = set()
    for place in range(HEADER + question, len(wire), length):
        record = wire[place : place + length]
        if record[:6] != start or record[10:12] != size.to_bytes(2, "big"):
            return None
        times.add(record[6:10])
        addresses.add(_address(record[12:]))
    ttl = int.from_bytes(times.pop(), "big")
    if times or ttl > MAX_TTL:
        return None
    return Found(tuple(sorted(addresses, key=int)), ttl)


def _address(packed: bytes) -> Address:
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
