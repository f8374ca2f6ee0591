"""One question and what a correct server answers to it, from plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

import dns.message
import dns.rcode
import dns.rrset

TTL: Final = 60
MAX_LINKS: Final = 20  # of an alias that is followed before answering; more than anybody should


@dataclass(frozen=True, slots=True)
class CNAME:
    """Data of a name that is an alias of another."""

    target: str


@dataclass(frozen=True, slots=True)
class DnsReply:
    """One message to send.

    Attributes:
        wire: The message.
        delay: Seconds until it is sent.
        framed: Over TCP, put the length before it. Without, `wire` goes out as it is.
        close: Over TCP, close the connection afterwards.
        stranger: Over UDP, send it from another port than the one that was asked.
    """

    wire: bytes
    delay: float = 0.0
    framed: bool = True
    close: bool = False
    stranger: bool = False


@dataclass(frozen=True, slots=True)
class DnsRequest:
    """A question as it arrived.

    Attributes:
        hostname: In lower case, without the final dot.
        rdtype: `A`, `AAAA`, …
        transport: `udp` or `tcp`.
        number: How often the same name and type were asked before, over both.
        message: The parsed query.
        wire: The query's own bytes.
        zones: The server's data.
    """

    hostname: str
    rdtype: str
    transport: str
    number: int
    message: dns.message.QueryMessage
    wire: bytes
    zones: dict[str, Any]

    def answer(self, value: object) -> list[DnsReply]:
        """What a zone's value answers: a behaviour is called, data are wrapped up."""
        if callable(value):
            return [as_reply(one) for one in value(self)]
        return [DnsReply(wire_of(honest(self, value)))]

    def response(self) -> dns.message.Message:
        """An empty response to this request, with recursion available."""
        response = dns.message.make_response(self.message, recursion_available=True)
        # The question goes back letter for letter.
        response.question = self.message.question
        return response


Behaviour: TypeAlias = Callable[[DnsRequest], Iterable["DnsReply | bytes"]]


def as_reply(one: DnsReply | bytes) -> DnsReply:
    """A message as a reply; bytes are sent at once."""
    return one if isinstance(one, DnsReply) else DnsReply(one)


def wire_of(message: dns.message.Message) -> bytes:
    """A message's bytes; never cut short."""
    return message.to_wire(max_size=65535)


def honest(request: DnsRequest, value: object) -> dns.message.Message:
    """What a correct server answers for a name with these data (None: there is no such name)."""
    response = request.response()
    owner = request.hostname
    for _ in range(MAX_LINKS):
        if not isinstance(value, CNAME):
            break
        response.answer.append(_records(owner, "CNAME", [value.target + "."]))
        owner = value.target.lower().rstrip(".")
        value = request.zones.get(owner)
    if isinstance(value, CNAME):
        return response
    addresses = _of_type(value, request.rdtype)
    if addresses:
        response.answer.append(_records(owner, request.rdtype, addresses))
        return response
    if value is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    response.authority.append(soa(apex(owner, request.zones)))
    return response


def apex(hostname: str, zones: Iterable[str]) -> str:
    """The zone a name lies in: the parent of a name there is data for, else its own parent."""
    parents = {name.partition(".")[2] for name in zones}
    rest = hostname
    while rest:
        rest = rest.partition(".")[2]
        if rest in parents:
            return rest
    return hostname.partition(".")[2]


def soa(zone: str) -> dns.rrset.RRset:
    """A zone's SOA record."""
    return _records(zone, "SOA", ["ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"])


def _records(owner: str, rdtype: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(owner + ".", TTL, "IN", rdtype, texts)


def _of_type(value: object, rdtype: str) -> list[str]:
    version = {"A": 4, "AAAA": 6}.get(rdtype)
    if not isinstance(value, list | tuple):
        return []
    return [str(one) for one in value if ip_address(str(one)).version == version]


class Misbehaviour:
    """The base of those below: one says what it sends by overriding `_replies`."""

    __slots__ = ()

    def __call__(self, request: DnsRequest) -> list[DnsReply]:
        """What is sent in answer to a request."""
        return self._replies(request)

    def _replies(self, request: DnsRequest) -> list[DnsReply]:
        raise NotImplementedError


def edited(
    request: DnsRequest, then: object, edit: Callable[[dns.message.Message], object]
) -> list[DnsReply]:
    """The answer of `then` with something changed in each message."""
    replies = []
    for reply in request.answer(then):
        message = dns.message.from_wire(reply.wire)
        edit(message)
        replies.append(replace(reply, wire=wire_of(message)))
    return replies
