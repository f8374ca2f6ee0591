"""A message of the DNS in wire form → its records (RFC 1035 section 4.1). Pure.

Only the parts that addresses and absence depend on are decoded: owners, and the data of five types.
A message's options must be well-formed as well, and it must not be signed. Reading takes a few
milliseconds at most, however the message is made: records are counted before they are read, labels
and pointers while they are, and pointers lead backward only.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from allowsync.dns.wire_query import HEADER, MAX_NAME
from allowsync.typed import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from allowsync.model.types import Address

MAX_RECORDS: Final = 512  # 16 addresses, 13 nameservers and their addresses are about 60
MAX_LABELS: Final = 16384  # and pointers, in all names together; 512 short names have some 2,000
MAX_TTL: Final = 2**31 - 1  # RFC 2181 section 8

IN: Final = 1
A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
AAAA: Final = 28
OPT: Final = 41  # RFC 6891: its TTL holds the upper bits of the response code
TSIG: Final = 250  # RFC 8945: only to a question that was signed, and ours never are

_SOA_NUMBERS: Final = 20
_ADDRESSES: Final = {A: 4, AAAA: 16}
_READ: Final = frozenset((A, NS, CNAME, SOA, AAAA))


class Malformed(ValueError):
    """The bytes are no message; holds the fault."""


class TooManyRecords(ValueError):
    """The message holds more than an answer about addresses would; holds the excess."""


class WireRecord(NamedTuple):
    """A record of a section. Names are in wire form, uncompressed and in lower case.

    Attributes:
        owner: Its owner name.
        rdtype: Its type.
        rdclass: Its class; only the data of class IN is decoded.
        ttl: The TTL field as received: seconds up to `MAX_TTL`, but in OPT.
        data: The address, or the name in a CNAME or NS; None for every other type.
    """

    owner: bytes
    rdtype: int
    rdclass: int
    ttl: int
    data: Address | bytes | None

    @property
    def seconds(self) -> int:
        """The TTL in seconds. A value out of range counts as 0 (RFC 2181 section 8)."""
        return self.ttl if self.ttl <= MAX_TTL else 0


class WireMessage(NamedTuple):
    """The records of a message by section, its flags, and its response code with all its bits.

    `unread` is the size of skipped data, of other types or classes, in bytes.
    """

    flags: int
    rcode: int
    questions: tuple[tuple[bytes, int, int], ...]
    answer: tuple[WireRecord, ...]
    authority: tuple[WireRecord, ...]
    unread: int = 0


def parse(wire: bytes) -> WireMessage:
    """Parse a message.

    Raises:
        Malformed: It is cut short, has bytes after its end, or holds something impossible.
        TooManyRecords: It has too many records, or too many labels in names.
    """
    if len(wire) < HEADER:
        raise Malformed("cut short")
    flags, *counts = (int.from_bytes(wire[at : at + 2], "big") for at in range(2, HEADER, 2))
    if sum(counts) > MAX_RECORDS:
        raise TooManyRecords(f"more than {MAX_RECORDS} records in one answer")
    reader = _Reader(wire)
    questions = tuple(reader.question() for _ in range(counts[0]))
    answer, authority, additional = (
        tuple(reader.record() for _ in range(count)) for count in counts[1:]
    )
    if reader.place != len(wire):
        raise Malformed("trailing bytes")
    if any(one.rdtype == TSIG for one in (*answer, *authority, *additional)):
        raise Malformed("a signature that was not asked for")
    options = [one for one in additional if one.rdtype == OPT]
    elsewhere = any(one.rdtype == OPT for one in (*answer, *authority))
    if elsewhere or len(options) > 1 or any(one.owner != b"\0" for one in options):
        raise Malformed("OPT out of place")
    rcode = sum(one.ttl >> 24 for one in options) << 4 | flags & 0x0F
    return WireMessage(flags, rcode, questions, answer, authority, reader.unread)


class _Reader:
    """Reads a message from its header on."""

    def __init__(self, wire: bytes) -> None:
        self.place = HEADER
        self.unread = 0
        self._wire = wire
        self._labels = 0

    def question(self) -> tuple[bytes, int, int]:
        name = self._name()
        return name, self._number(2), self._number(2)

    def record(self) -> WireRecord:
        owner = self._name()
        rdtype, rdclass, ttl = self._number(2), self._number(2), self._number(4)
        size = self._number(2)
        end = self.place + size
        if end > len(self._wire):
            raise Malformed("cut short")
        if rdtype == OPT:
            self._check_options(end)
        data = self._data(rdtype, end) if rdclass == IN else None
        if rdclass != IN or rdtype not in _READ:
            self.unread += size
        self.place = end
        return WireRecord(owner, rdtype, rdclass, ttl, data)

    def _data(self, rdtype: int, end: int) -> Address | bytes | None:
        """Return the data of a record, where its type is decoded."""
        name = None
        if rdtype in _ADDRESSES:
            packed = self._wire[self.place : end]
            if len(packed) != _ADDRESSES[rdtype]:
                raise Malformed("an address of another length")
            return IPv4Address(packed) if rdtype == A else IPv6Address(packed)
        if rdtype in (CNAME, NS):
            name = self._name()
        elif rdtype == SOA:
            self._name()
            self._name()
            self.place += _SOA_NUMBERS
        else:
            return None
        if self.place != end:
            raise Malformed("data of another length")
        return name

    def _check_options(self, end: int) -> None:
        """Check that options, each with its own length, end where they should (RFC 6891, 6.1.2)."""
        wire, at = self._wire, self.place
        while at + 4 <= end:
            at += 4 + (wire[at + 2] << 8 | wire[at + 3])
        if at != end:
            raise Malformed("options of another length")

    def _number(self, size: int) -> int:
        self.place += size
        if self.place > len(self._wire):
            raise Malformed("cut short")
        return int.from_bytes(self._wire[self.place - size : self.place], "big")

    def _name(self) -> bytes:
        """Read a name, following pointers (RFC 1035 section 4.1.4)."""
        wire, at, start, jumped = self._wire, self.place, self.place, False
        name = b""
        while length := self._octet(at):
            self._count_label()
            if length < 0x40:
                name += wire[at : at + 1 + length]
                at += 1 + length
                if len(name) >= MAX_NAME:
                    raise Malformed("a name that is too long")
                continue
            if length < 0xC0:
                raise Malformed("a label of unknown kind")
            target = (length & 0x3F) << 8 | self._octet(at + 1)
            if target >= start:
                raise Malformed("a pointer that leads nowhere")
            if not jumped:
                jumped, self.place = True, at + 2
            at = start = target
        if not jumped:
            self.place = at + 1
        return name.lower() + b"\0"

    def _count_label(self) -> None:
        self._labels += 1
        if self._labels > MAX_LABELS:
            raise TooManyRecords(f"more than {MAX_LABELS} labels in one answer")

    def _octet(self, at: int) -> int:
        if at >= len(self._wire):
            raise Malformed("cut short")
        return self._wire[at]
