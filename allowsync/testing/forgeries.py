"""Answers that are wrong in form: cut short, forged, damaged, or broken off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import dns.flags
import dns.message
import dns.name
import dns.rrset

from allowsync.testing.exchanges import Misbehaviour, Reply, Request, edited, wire_of


@dataclass(frozen=True, slots=True)
class Truncated(Misbehaviour):
    """Says over UDP that the answer did not fit, and answers as `then` over TCP."""

    then: object

    def _replies(self, request: Request) -> list[Reply]:
        if request.transport == "tcp":
            return request.answer(self.then)
        return request.answer(AlwaysTruncated())


@dataclass(frozen=True, slots=True)
class AlwaysTruncated(Misbehaviour):
    """Says over UDP and TCP alike that the answer did not fit."""

    def _replies(self, request: Request) -> list[Reply]:
        response = request.response()
        response.flags |= dns.flags.TC
        return [Reply(wire_of(response))]


@dataclass(frozen=True, slots=True)
class WrongId(Misbehaviour):
    """The answer of `then` under another id."""

    then: object

    def _replies(self, request: Request) -> list[Reply]:
        other = bytes((request.wire[0] ^ 0xFF, request.wire[1]))
        return [replace(r, wire=other + r.wire[2:]) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class WrongQuestion(Misbehaviour):
    """The answer of `then`, said to be to a question about another name."""

    then: object
    hostname: str = "somebody-else.example.net"

    def _replies(self, request: Request) -> list[Reply]:
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

    def _replies(self, request: Request) -> list[Reply]:
        end = len(request.wire)
        return [
            replace(r, wire=r.wire[:12] + r.wire[12:end].lower() + r.wire[end:])
            for r in request.answer(self.then)
        ]


@dataclass(frozen=True, slots=True)
class NotAResponse(Misbehaviour):
    """The answer of `then` with QR=0, as if it were a query."""

    then: object

    def _replies(self, request: Request) -> list[Reply]:
        return [
            replace(r, wire=r.wire[:2] + bytes((r.wire[2] & 0x7F,)) + r.wire[3:])
            for r in request.answer(self.then)
        ]


@dataclass(frozen=True, slots=True)
class FromStranger(Misbehaviour):
    """The answer of `then` over UDP from a port that was not asked."""

    then: object

    def _replies(self, request: Request) -> list[Reply]:
        return [replace(r, stranger=True) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class Garbage(Misbehaviour):
    """These bytes after the right id and, unless `question` is off, the right question."""

    data: bytes = b"\xc0\xff\xee" * 7
    question: bool = True

    def _replies(self, request: Request) -> list[Reply]:
        if not self.question:
            return [Reply(request.wire[:2] + self.data)]
        head = request.wire[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
        return [Reply(head + request.wire[12:] + self.data)]


@dataclass(frozen=True, slots=True)
class TrailingBytes(Misbehaviour):
    """The answer of `then` with something after its end."""

    then: object
    data: bytes = b"more"

    def _replies(self, request: Request) -> list[Reply]:
        return [replace(r, wire=r.wire + self.data) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class HangUp(Misbehaviour):
    """Closes a TCP connection instead of answering; silent over UDP."""

    def _replies(self, _request: Request) -> list[Reply]:
        return [Reply(b"", framed=False, close=True)]


@dataclass(frozen=True, slots=True)
class CutShort(Misbehaviour):
    """Closes a TCP connection in the middle of the answer of `then`."""

    then: object

    def _replies(self, request: Request) -> list[Reply]:
        return [
            Reply((len(r.wire).to_bytes(2, "big") + r.wire)[:-5], framed=False, close=True)
            for r in request.answer(self.then)
        ]


@dataclass(frozen=True, slots=True)
class Drip(Misbehaviour):
    """Sends the answer of `then` over TCP one byte at a time, that many seconds apart."""

    seconds: float
    then: object

    def _replies(self, request: Request) -> list[Reply]:
        (reply,) = request.answer(self.then)
        framed = len(reply.wire).to_bytes(2, "big") + reply.wire
        return [
            Reply(framed[i : i + 1], delay=self.seconds * i, framed=False)
            for i in range(len(framed))
        ]
