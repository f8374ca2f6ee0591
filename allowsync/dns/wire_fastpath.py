"""The fast path for the plain shape of nearly every dynamic DNS answer, without dnspython.

One question and addresses of that very name, and nothing else: no CNAME, no other section, no byte
too many. Reading that takes a few comparisons, where importing and running a whole parser takes
fifty times as long. Any other shape is left to `classify`; a test holds both to the same answers.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from allowsync.model.answer import Found
from allowsync.model.types import Family
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from allowsync.model.types import Address, Query

HEADER: Final = 12
MOST: Final = 16  # addresses in one answer; more are not plain
MAX_TTL: Final = 2**31 - 1  # RFC 2181 section 8

_NOTHING: Final = bytes(4)
# The start of each record: a pointer to the question's name, the type asked for, class IN. Then,
# behind its time to live, the length of the address.
_SHAPES: Final[dict[Family, tuple[bytes, bytes, int, type[IPv4Address] | type[IPv6Address]]]] = {
    Family.IPV4: (b"\xc0\x0c\x00\x01\x00\x01", b"\x00\x04", 4, IPv4Address),
    Family.IPV6: (b"\xc0\x0c\x00\x1c\x00\x01", b"\x00\x10", 16, IPv6Address),
}


def read_plain(wire: bytes, query: Query, question: int) -> Found | None:
    """Return the addresses of a plain answer; None for an answer of any other shape.

    Args:
        wire: A response whose id and question match those sent.
        query: The query.
        question: The length of the question section, in bytes.
    """
    # QR set, opcode QUERY, not truncated, rcode NOERROR, one question and answers alone. The
    # reserved bit must be zero; AA, RD, RA, AD and CD may be anything.
    if wire[2] & 0xFA != 0x80 or wire[3] & 0x4F or wire[4:6] != b"\x00\x01":
        return None
    start, size, octets, kind = _SHAPES[query.family]
    count, length = wire[6] << 8 | wire[7], HEADER + octets
    first = HEADER + question
    if not 0 < count <= MOST or len(wire) != first + count * length or wire[8:12] != _NOTHING:
        return None
    lasts = wire[first + 6 : first + 10]
    addresses: set[Address] = set()
    for place in range(first, len(wire), length):
        if wire[place : place + 12] != start + lasts + size:
            return None
        addresses.add(kind(int.from_bytes(wire[place + 12 : place + length], "big")))
    ttl = int.from_bytes(lasts, "big")
    if ttl > MAX_TTL:
        return None
    return Found(tuple(addresses if count == 1 else sorted(addresses, key=int)), ttl)
