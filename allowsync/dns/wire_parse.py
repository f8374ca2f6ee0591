"""A response and the query it answers → what it tells. Pure.

Order matters: a response code other than NOERROR and NXDOMAIN tells nothing whatever else is
inside; only then are records looked at. Absence is believed only with the zone's SOA beside it (RFC
2308 section 2): lame servers, broken forwarders and filters send the same without one.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, TypeAlias

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
from dns.rdataclass import IN
from dns.rdatatype import AAAA, CNAME, NS, SOA, A

from allowsync.dns.failure import TRUNCATED, Failure, Kind
from allowsync.dns.wire_query import labels
from allowsync.model.answer import Absent, Found
from allowsync.model.types import Family

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dns.rdatatype import RdataType
    from dns.rrset import RRset

    from allowsync.model.types import Address, Query

MAX_CHAIN: Final = 8

Reading: TypeAlias = Found | Absent | Failure

_TYPES: Final[dict[Family, RdataType]] = {Family.IPV4: A, Family.IPV6: AAAA}
_CONCLUSIVE: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
# dnspython promises DNSException for bad input; the rest is what its parsing could run into should
# it ever break that promise. Hostile bytes must not end a run.
_UNREADABLE: Final = (
    dns.exception.DNSException, ArithmeticError, AssertionError, AttributeError, LookupError,
    NotImplementedError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip


def read(wire: bytes, query: Query, *, validated: bool = False) -> Reading:
    """What a response in wire form tells. Any bytes will do; nothing is raised.

    The caller has compared id and question already. Bytes after the end of the message make it
    malformed: nothing says what they are.
    """
    try:
        # Each record on its own: dnspython would drop the first of two CNAMEs at one owner.
        message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    except dns.message.TrailingJunk:
        return Failure(Kind.GARBLED, "malformed answer: trailing bytes")
    except _UNREADABLE as error:
        return Failure(Kind.GARBLED, f"malformed answer: {type(error).__name__}")
    return classify(message, query, validated=validated)


def classify(message: dns.message.Message, query: Query, *, validated: bool = False) -> Reading:
    """What a response tells.

    Args:
        message: The response, parsed with `one_rr_per_rrset`.
        query: What was asked. Its hostname must have a wire form.
        validated: Believe only answers whose AD bit says that DNSSEC validated them.
    """
    flags = int(message.flags)
    if not flags & dns.flags.QR or message.opcode() != dns.opcode.QUERY:
        return Failure(Kind.GARBLED, "malformed answer: not a response to a query")
    rcode = message.rcode()
    if rcode not in _CONCLUSIVE:
        return Failure(Kind.ERROR, dns.rcode.to_text(rcode))
    if flags & dns.flags.TC:
        return TRUNCATED
    if validated and not flags & dns.flags.AD:
        return Failure(Kind.ODD, "not validated by DNSSEC")
    if not _asks(message.question, query):
        return Failure(Kind.GARBLED, "malformed answer: not to the question asked")
    end = _chain_end(message.answer, message.question[0].name)
    if isinstance(end, Failure):
        return end
    found = _found(message.answer, end, query.family)
    if found is None:
        return _absence(message, end, rcode)
    if rcode == dns.rcode.NXDOMAIN:
        return Failure(Kind.ODD, "NXDOMAIN with addresses")
    return found


def _asks(question: Sequence[RRset], query: Query) -> bool:
    """Whether a question section holds this query and nothing else, letters' case aside."""
    if len(question) != 1 or question[0].rdtype != _TYPES[query.family]:
        return False
    wanted = (*labels(query.hostname), b"")
    return question[0].rdclass == IN and tuple(map(bytes.lower, question[0].name.labels)) == wanted


def _chain_end(answer: Sequence[RRset], name: dns.name.Name) -> dns.name.Name | Failure:
    """The name at the end of the CNAME chain that starts at `name`, which is mostly `name`."""
    links: dict[dns.name.Name, set[dns.name.Name]] = {}
    for record in answer:
        if record.rdtype == CNAME and record.rdclass == IN:
            links.setdefault(record.name, set()).add(record[0].target)
    if not links:
        return name
    owners = {one.name for one in answer if one.rdtype in (A, AAAA) and one.rdclass == IN}
    seen: list[dns.name.Name] = []
    while targets := links.get(name):
        if name in seen:
            return Failure(Kind.ODD, "CNAME loop")
        if len(targets) > 1:
            return Failure(Kind.ODD, "two CNAMEs at one name")
        if name in owners:
            return Failure(Kind.ODD, "a CNAME beside an address at one name")
        if len(seen) == MAX_CHAIN:
            return Failure(Kind.ODD, f"CNAME chain of more than {MAX_CHAIN} links")
        seen.append(name)
        (name,) = targets
    return name


def _found(answer: Sequence[RRset], end: dns.name.Name, family: Family) -> Found | None:
    """The addresses of one name, or None. Records of other names, classes and types are foreign."""
    mine = [
        record
        for record in answer
        if record.rdtype == _TYPES[family] and record.rdclass == IN and record.name == end
    ]
    if not mine:
        return None
    texts = {record[0].address for record in mine}
    return Found(_sorted(texts, family), min(record.ttl for record in mine))


def _sorted(texts: Iterable[str], family: Family) -> tuple[Address, ...]:
    if family is Family.IPV4:
        return tuple(sorted(map(IPv4Address, texts)))
    return tuple(sorted(map(IPv6Address, texts)))


def _absence(
    message: dns.message.Message, end: dns.name.Name, rcode: dns.rcode.Rcode
) -> Absent | Failure:
    """Whether a response without addresses proves that there are none."""
    kind = "NXDOMAIN" if rcode == dns.rcode.NXDOMAIN else "NODATA"
    authority = [record for record in message.authority if record.rdclass == IN]
    zones = [record.name for record in authority if record.rdtype == SOA]
    if any(_can_hold(zone, end, rcode) for zone in zones):
        return Absent(kind)
    if zones:
        return Failure(Kind.ODD, f"{kind} with the SOA of another zone: not proven")
    if kind == "NODATA" and any(record.rdtype == NS for record in authority):
        return Failure(Kind.ODD, "a referral to other nameservers")
    return Failure(Kind.ODD, f"{kind} without SOA: not proven")


def _can_hold(zone: dns.name.Name, name: dns.name.Name, rcode: dns.rcode.Rcode) -> bool:
    """Whether a zone can prove that a name is absent.

    A zone's apex exists, so NXDOMAIN with an SOA at the very name proves nothing; DNS filters
    answer so (RFC 2308 section 3).
    """
    return name.is_subdomain(zone) and not (rcode == dns.rcode.NXDOMAIN and name == zone)
