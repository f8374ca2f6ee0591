"""The end of a chain of aliases (CNAME, RFC 1034 section 3.6.2), found by dnspython.

Most dynamic DNS names have none, so this module and dnspython are loaded with the first answer
that has one. Its message was parsed within bounds before (see `allowsync.dns.wire_message`).
"""

from __future__ import annotations

import struct
from typing import Final

import dns.exception
import dns.message
import dns.name
import dns.rdata
from dns.rdataclass import IN
from dns.rdatatype import AAAA, CNAME, A

from allowsync.dns.failure import Failure, FailureKind

# Otherwise a type is loaded with the first message that holds it, too late to open a file.
dns.rdata.load_all_types()  # type: ignore[no-untyped-call]

MAX_CHAIN: Final = 8
# dnspython promises DNSException for bad input; the rest its parsing could raise should
# it ever break that promise. Hostile bytes must not end a run.
_UNREADABLE: Final = (
    dns.exception.DNSException, ArithmeticError, AssertionError, AttributeError, LookupError,
    NotImplementedError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip


def chain_end(wire: bytes) -> bytes | Failure:
    """Return the name at the end of the chain that starts at a response's question.

    Args:
        wire: The response, with one question.

    Returns:
        The name in wire form, in lower case; or the reason why there is none.
    """
    try:
        # Each record on its own: dnspython would drop the first of two CNAMEs at one owner.
        message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    except _UNREADABLE as error:
        return Failure(FailureKind.GARBLED, f"malformed answer: {type(error).__name__}")
    links: dict[dns.name.Name, set[dns.name.Name]] = {}
    for record in message.answer:
        if record.rdtype == CNAME and record.rdclass == IN:
            links.setdefault(record.name, set()).add(record[0].target)
    owners = {one.name for one in message.answer if one.rdtype in (A, AAAA) and one.rdclass == IN}
    end = _follow(message.question[0].name, links, owners)
    return end if isinstance(end, Failure) else end.canonicalize().to_digestable()


def _follow(
    name: dns.name.Name,
    links: dict[dns.name.Name, set[dns.name.Name]],
    owners: set[dns.name.Name],
) -> dns.name.Name | Failure:
    seen: list[dns.name.Name] = []
    while targets := links.get(name):
        if name in seen:
            return Failure(FailureKind.ODD, "CNAME loop")
        if len(targets) > 1:
            return Failure(FailureKind.ODD, "two CNAMEs at one name")
        if name in owners:
            return Failure(FailureKind.ODD, "a CNAME beside an address at one name")
        if len(seen) == MAX_CHAIN:
            return Failure(FailureKind.ODD, f"CNAME chain of more than {MAX_CHAIN} links")
        seen.append(name)
        (name,) = targets
    return name
