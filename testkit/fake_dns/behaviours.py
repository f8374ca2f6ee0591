"""What a name may answer with instead of plain data: one of many ways to misbehave.

A behaviour is a callable that gets the request and returns what is to be sent, which may be
nothing. Those that change an answer take `then`, the data or behaviour whose answer they change, so
that they compose:

    {"alice.example.org": Drop(1, Delay(0.05, ["203.0.113.7"]))}

Adding one is a frozen dataclass with `_replies`, or a plain function of the request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from testkit.fake_dns.exchanges import (
    TTL,
    DnsReply,
    DnsRequest,
    Misbehaviour,
    apex,
    edited,
    honest,
    wire_of,
)
from testkit.fake_dns.forgeries import (
    AlwaysTruncated,
    Crafted,
    CutShort,
    Drip,
    Flags,
    FromStranger,
    Garbage,
    HangUp,
    Lowercase,
    NotAResponse,
    OtherQuestion,
    Questions,
    Shortened,
    TrailingBytes,
    Truncated,
    Unframed,
    WrongId,
    WrongQuestion,
)

__all__ = [
    "FORMERR",
    "NOTAUTH",
    "NOTIMP",
    "REFUSED",
    "SERVFAIL",
    "Addresses",
    "AlwaysTruncated",
    "Authenticated",
    "BareError",
    "ByTransport",
    "ByType",
    "Crafted",
    "CutShort",
    "Delay",
    "Drip",
    "Drop",
    "Flags",
    "FromStranger",
    "Garbage",
    "HangUp",
    "InTurn",
    "Lowercase",
    "Misbehaviour",
    "NoSOA",
    "NotAResponse",
    "OtherQuestion",
    "Questions",
    "Rcode",
    "Records",
    "Referral",
    "Shortened",
    "Silent",
    "Together",
    "TrailingBytes",
    "Truncated",
    "Ttl",
    "Unframed",
    "WrongId",
    "WrongQuestion",
]


@dataclass(frozen=True, slots=True)
class Rcode(Misbehaviour):
    """Any response code, with the records of `then` if there is one."""

    rcode: dns.rcode.Rcode
    then: object = None

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        response = request.response() if self.then is None else honest(request, self.then)
        response.set_rcode(self.rcode)
        return [DnsReply(wire_of(response))]


SERVFAIL: Final = Rcode(dns.rcode.SERVFAIL)
REFUSED: Final = Rcode(dns.rcode.REFUSED)
NOTIMP: Final = Rcode(dns.rcode.NOTIMP)
FORMERR: Final = Rcode(dns.rcode.FORMERR)
NOTAUTH: Final = Rcode(dns.rcode.NOTAUTH)


@dataclass(frozen=True, slots=True)
class BareError(Misbehaviour):
    """Nothing but a header with an error in it; the question is not repeated."""

    rcode: dns.rcode.Rcode = dns.rcode.FORMERR

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        flags = (0x8000 | self.rcode).to_bytes(2, "big")
        return [DnsReply(request.wire[:2] + flags + bytes(8))]


@dataclass(frozen=True, slots=True)
class Records(Misbehaviour):
    """Exactly these records, each written as in a zone file with absolute names.

    `@` is the name that was asked for, as an owner and within the data.
    """

    answer: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        response = request.response()
        response.answer.extend(_record(line, request.hostname) for line in self.answer)
        response.authority.extend(_record(line, request.hostname) for line in self.authority)
        response.additional.extend(_record(line, request.hostname) for line in self.additional)
        response.set_rcode(self.rcode)
        return [DnsReply(wire_of(response))]


def _record(line: str, asked: str) -> dns.rrset.RRset:
    owner, ttl, rdclass, rdtype, data = line.split(maxsplit=4)
    absolute = data.replace("@", f"{asked}.")
    return dns.rrset.from_text(owner.replace("@", f"{asked}."), int(ttl), rdclass, rdtype, absolute)


@dataclass(frozen=True, slots=True)
class Silent(Misbehaviour):
    """Never answers."""

    def _replies(self, _request: DnsRequest) -> list[DnsReply]:
        return []


@dataclass(frozen=True, slots=True)
class Delay(Misbehaviour):
    """Answers that many seconds later."""

    seconds: float
    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [replace(r, delay=r.delay + self.seconds) for r in request.answer(self.then)]


@dataclass(frozen=True, slots=True)
class Drop(Misbehaviour):
    """Loses the first `count` questions for each name and type."""

    count: int
    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [] if request.number < self.count else request.answer(self.then)


@dataclass(frozen=True, slots=True)
class InTurn(Misbehaviour):
    """Answers the first question for each name and type as `turns[0]`, …; the last one stays."""

    turns: tuple[object, ...]

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return request.answer(self.turns[min(request.number, len(self.turns) - 1)])


@dataclass(frozen=True, slots=True)
class Together(Misbehaviour):
    """Sends the answers of all of these, one after the other."""

    values: tuple[object, ...]

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return [reply for value in self.values for reply in request.answer(value)]


@dataclass(frozen=True, slots=True)
class ByTransport(Misbehaviour):
    """Answers differently over UDP and TCP."""

    udp: object
    tcp: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return request.answer(self.udp if request.transport == "udp" else self.tcp)


@dataclass(frozen=True, slots=True)
class ByType(Misbehaviour):
    """Answers differently to A and AAAA."""

    a: object
    aaaa: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return request.answer(self.a if request.rdtype == "A" else self.aaaa)


@dataclass(frozen=True, slots=True)
class Addresses(Misbehaviour):
    """That many different addresses of whichever family is asked for."""

    count: int

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        base = "198.18.{}.{}" if request.rdtype == "A" else "2001:db8::{:x}:{:x}"
        return request.answer([base.format(i // 250, i % 250 + 1) for i in range(self.count)])


@dataclass(frozen=True, slots=True)
class Ttl(Misbehaviour):
    """The answer of `then`, to be kept for that many seconds."""

    seconds: int
    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        def edit(message: dns.message.Message) -> None:
            for rrset in message.answer:
                rrset.ttl = self.seconds

        return edited(request, self.then, edit)


@dataclass(frozen=True, slots=True)
class Authenticated(Misbehaviour):
    """The answer of `then` with the AD bit: validated by DNSSEC."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        def edit(message: dns.message.Message) -> None:
            message.flags |= dns.flags.AD

        return edited(request, self.then, edit)


@dataclass(frozen=True, slots=True)
class NoSOA(Misbehaviour):
    """The answer of `then` with an empty authority section, as caching forwarders send it."""

    then: object

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        return edited(request, self.then, lambda message: message.authority.clear())


@dataclass(frozen=True, slots=True)
class Referral(Misbehaviour):
    """Sends the asker to other nameservers."""

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        zone = apex(request.hostname, request.zones)
        return Records(authority=(f"{zone}. {TTL} IN NS ns.invalid.",))(request)
