"""Answers that are wrong in form: cut short, forged, damaged, or broken off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from testkit.fake_dns.exchanges import DnsReply, DnsRequest, Misbehaviour, edited, wire_of

HEADER = 12
TO_THE_QUESTION = b"\xc0\x0c"  # a pointer to the name that was asked (RFC 1035 section 4.1.4)


@dataclass(frozen=True, slots=True)
class Truncated(Misbehaviour):
    """Says over UDP that the answer did not fit, and answers as `then` over TCP."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        if request.transport == "tcp":
            return request.answer(self.then)
        return request.answer(AlwaysTruncated())


@dataclass(frozen=True, slots=True)
class AlwaysTruncated(Misbehaviour):
    """Says over UDP and TCP alike that the answer did not fit."""

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        response = request.response()
        response.flags |= dns.flags.TC
        return [DnsReply(wire_of(response))]


@dataclass(frozen=True, slots=True)
class WrongId(Misbehaviour):
    """The answer of `then` under another id."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        other = bytes((request.wire[0] ^ 0xFF, request.wire[1]))
        return [replace(r, wire=other + r.wire[2:]) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class WrongQuestion(Misbehaviour):
    """The answer of `then`, said to be to a question about another name."""

    then: object
    hostname: str = "somebody-else.example.net"

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        other = dns.name.from_text(self.hostname)

        def edit(message: dns.message.Message) -> None:
            message.question = [
                dns.rrset.RRset(other, one.rdclass, one.rdtype) for one in message.question
            ]

        return edited(request, self.then, edit)


@dataclass(frozen=True, slots=True)
class Lowercase(Misbehaviour):
    """The answer of `then` with the question in lower case, however it was spelled."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        end = len(request.wire)
        return [
            replace(r, wire=r.wire[:12] + r.wire[12:end].lower() + r.wire[end:])
            for r in request.answer(self.then)
        ]


@dataclass(frozen=True, slots=True)
class NotAResponse(Misbehaviour):
    """The answer of `then` with QR=0, as if it were a query."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [
            replace(r, wire=r.wire[:2] + bytes((r.wire[2] & 0x7F,)) + r.wire[3:])
            for r in request.answer(self.then)
        ]


@dataclass(frozen=True, slots=True)
class FromStranger(Misbehaviour):
    """The answer of `then` over UDP from a port that was not asked."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [replace(r, stranger=True) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class Garbage(Misbehaviour):
    """These bytes after the right id and, unless `question` is off, the right question."""

    data: bytes = b"\xc0\xff\xee" * 7
    question: bool = True

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        if not self.question:
            return [DnsReply(request.wire[:2] + self.data)]
        head = request.wire[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
        return [DnsReply(head + request.wire[12:] + self.data)]


@dataclass(frozen=True, slots=True)
class TrailingBytes(Misbehaviour):
    """The answer of `then` with something after its end."""

    then: object
    data: bytes = b"more"

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [replace(r, wire=r.wire + self.data) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class HangUp(Misbehaviour):
    """Closes a TCP connection instead of answering; silent over UDP."""

    def _replies(self, _request: DnsRequest) -> list[DnsReply]:
        return [DnsReply(b"", framed=False, close=True)]


@dataclass(frozen=True, slots=True)
class CutShort(Misbehaviour):
    """Closes a TCP connection in the middle of the answer of `then`."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [
            DnsReply((len(r.wire).to_bytes(2, "big") + r.wire)[:-5], framed=False, close=True)
            for r in request.answer(self.then)
        ]


@dataclass(frozen=True, slots=True)
class Drip(Misbehaviour):
    """Sends the answer of `then` over TCP one byte at a time, that many seconds apart."""

    seconds: float
    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        (reply,) = request.answer(self.then)
        framed = len(reply.wire).to_bytes(2, "big") + reply.wire
        return [
            DnsReply(framed[i : i + 1], delay=self.seconds * i, framed=False)
            for i in range(len(framed))
        ]


def record(
    rdtype: int,
    data: bytes,
    *,
    owner: bytes = TO_THE_QUESTION,
    rdclass: int = 1,
    ttl: int = 60,
    length: int | None = None,
) -> bytes:
    """A resource record as it is sent, whatever sense it makes.

    Args:
        rdtype: Its type.
        data: What it holds.
        owner: A name in wire form, compressed or not.
        rdclass: Its class; 1 is IN.
        ttl: In seconds.
        length: What it says of the length of its data; the truth when None.
    """
    said = len(data) if length is None else length
    head = b"".join(
        (
            rdtype.to_bytes(2, "big"),
            rdclass.to_bytes(2, "big"),
            ttl.to_bytes(4, "big"),
            said.to_bytes(2, "big"),
        )
    )
    return owner + head + data


@dataclass(frozen=True, slots=True)
class Crafted(Misbehaviour):
    """The right id and question, then bytes of one's own.

    Attributes:
        data: What follows the question.
        counts: How many records the header says there are: answer, authority, additional.
        flags: The header's second 16 bits; a plain response by default.
        asking: What the header says of the number of questions.
    """

    data: bytes = b""
    counts: tuple[int, int, int] = (1, 0, 0)
    flags: int = 0x8180
    asking: int = 1

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        words = (self.flags, self.asking, *self.counts)
        head = request.wire[:2] + b"".join(word.to_bytes(2, "big") for word in words)
        return [DnsReply(head + request.wire[HEADER:] + self.data)]


@dataclass(frozen=True, slots=True)
class Flags(Misbehaviour):
    """The answer of `then` with bits of the header's second 16 set and cleared."""

    then: object
    set: int = 0
    clear: int = 0

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        def changed(wire: bytes) -> bytes:
            flags = int.from_bytes(wire[2:4], "big") & ~self.clear | self.set
            return wire[:2] + flags.to_bytes(2, "big") + wire[4:]

        return [replace(r, wire=changed(r.wire)) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class Questions(Misbehaviour):
    """The answer of `then` with the question that many times: none, or more than one."""

    count: int
    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        def edit(message: dns.message.Message) -> None:
            message.question = message.question * self.count

        return edited(request, self.then, edit)


@dataclass(frozen=True, slots=True)
class OtherQuestion(Misbehaviour):
    """The answer of `then`, said to be to a question of another type or class."""

    then: object
    rdtype: str | None = None
    rdclass: str = "IN"

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        kind = dns.rdatatype.from_text(self.rdtype or request.rdtype)
        among = dns.rdataclass.from_text(self.rdclass)

        def edit(message: dns.message.Message) -> None:
            message.question = [dns.rrset.RRset(one.name, among, kind) for one in message.question]

        return edited(request, self.then, edit)


@dataclass(frozen=True, slots=True)
class Shortened(Misbehaviour):
    """The answer of `then` without its last bytes, or its first `keep` bytes alone."""

    then: object
    keep: int = -3

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [replace(r, wire=r.wire[: self.keep]) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class Unframed(Misbehaviour):
    """These bytes over TCP with no length of ours before them; a datagram of them over UDP."""

    data: bytes
    close: bool = False

    def _replies(self, _request: DnsRequest) -> list[DnsReply]:
        return [DnsReply(self.data, framed=False, close=self.close)]
