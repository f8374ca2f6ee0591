"""A response and the query it answers → the reading of it. Pure.

Order matters: a response code other than NOERROR and NXDOMAIN settles nothing, whatever else is
inside; only then are records read. Absence is accepted only with the zone's SOA beside it (RFC
2308 section 2): lame servers, broken forwarders and filters send the same without one.
"""

from __future__ import annotations

from allowsync.dns.failure import TRUNCATED, Failure, FailureKind
from allowsync.dns.wire_message import AAAA, CNAME, IN, NS, SOA, A, Malformed, TooManyRecords, parse
from allowsync.dns.wire_query import wire_name
from allowsync.model.answer import Absent, Found
from allowsync.model.types import Family
from allowsync.typed import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allowsync.dns.wire_message import WireMessage, WireRecord
    from allowsync.model.types import Query

# Limit of data that dnspython may have to read beside the types read within bounds already.
MAX_UNREAD: Final = 4096

Reading: TypeAlias = Found | Absent | Failure

if TYPE_CHECKING:
    ChainEnd = Callable[[bytes], bytes | Failure]

_TYPES: Final = {Family.IPV4: A, Family.IPV6: AAAA}
_RESPONSE: Final = 0xF800  # QR and the opcode
_TC: Final = 0x0200
_AD: Final = 0x0020
_NOERROR: Final = 0
_NXDOMAIN: Final = 3
# RFC 1035, 2136, 6891, 8490.
_CODES: Final = {
    1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS",
}  # fmt: skip


def read(
    wire: bytes, query: Query, *, validated: bool = False, chain_end: ChainEnd | None = None
) -> Reading:
    """Read a response in wire form. Accepts any bytes; raises nothing.

    The caller has compared id and question already. Bytes after the end of the message make it
    malformed: their meaning is unknown.

    Args:
        wire: The response.
        query: The query. Its hostname must have a wire form.
        validated: Accept only answers whose AD bit says that DNSSEC validated them.
        chain_end: Follows aliases, in place of `allowsync.dns.aliases.chain_end`.
    """
    try:
        message = parse(wire)
    except Malformed as error:
        return Failure(FailureKind.GARBLED, f"malformed answer: {error}")
    except TooManyRecords as error:
        return Failure(FailureKind.ODD, str(error))
    if message.flags & _RESPONSE != 0x8000:
        return Failure(FailureKind.GARBLED, "malformed answer: not a response to a query")
    if message.rcode not in (_NOERROR, _NXDOMAIN):
        return Failure(FailureKind.ERROR, _CODES.get(message.rcode, f"RCODE{message.rcode}"))
    if message.flags & _TC:
        return TRUNCATED
    if validated and not message.flags & _AD:
        return Failure(FailureKind.ODD, "not validated by DNSSEC")
    name = wire_name(query.hostname)
    if message.questions != ((name, _TYPES[query.family], IN),):
        return Failure(FailureKind.GARBLED, "malformed answer: not to the question asked")
    return _told(wire, message, name, query, chain_end)


def _told(
    wire: bytes, message: WireMessage, name: bytes, query: Query, chain_end: ChainEnd | None
) -> Reading:
    """Read the records of a response to the query."""
    end: bytes | Failure = name
    if any(record.rdtype == CNAME and record.rdclass == IN for record in message.answer):
        if message.unread > MAX_UNREAD:
            return Failure(
                FailureKind.ODD, f"more than {MAX_UNREAD} bytes of other types in one answer"
            )
        end = (chain_end or _by_dnspython)(wire)
    if isinstance(end, Failure):
        return end
    found = _found(message.answer, end, query.family)
    if found is None:
        return _absence(message, end)
    if message.rcode == _NXDOMAIN:
        return Failure(FailureKind.ODD, "NXDOMAIN with addresses")
    return found


def _by_dnspython(wire: bytes) -> bytes | Failure:
    from allowsync.dns.aliases import chain_end

    return chain_end(wire)


def _found(answer: Sequence[WireRecord], end: bytes, family: Family) -> Found | None:
    """Return the addresses of one name, or None. Other names, classes and types are ignored."""
    mine = [
        record
        for record in answer
        if record.rdtype == _TYPES[family] and record.rdclass == IN and record.owner == end
    ]
    if not mine:
        return None
    addresses = {
        one.data for one in mine if one.data is not None and not isinstance(one.data, bytes)
    }
    return Found(tuple(sorted(addresses, key=int)), min(one.seconds for one in mine))


def _absence(message: WireMessage, end: bytes) -> Absent | Failure:
    """Whether a response without addresses proves that there are none."""
    kind = "NXDOMAIN" if message.rcode == _NXDOMAIN else "NODATA"
    authority = [record for record in message.authority if record.rdclass == IN]
    zones = [record.owner for record in authority if record.rdtype == SOA]
    if any(_can_hold(zone, end, message.rcode) for zone in zones):
        return Absent(kind)
    if zones:
        return Failure(FailureKind.ODD, f"{kind} with the SOA of another zone: not proven")
    if kind == "NODATA" and any(record.rdtype == NS for record in authority):
        return Failure(FailureKind.ODD, "a referral to other nameservers")
    return Failure(FailureKind.ODD, f"{kind} without SOA: not proven")


def _can_hold(zone: bytes, name: bytes, rcode: int) -> bool:
    """Whether a zone can prove that a name is absent.

    A zone's apex exists, so NXDOMAIN with an SOA at the very name proves nothing; DNS filters
    answer so (RFC 2308 section 3).
    """
    if name == zone:
        return rcode != _NXDOMAIN
    while name != b"\0":
        name = name[name[0] + 1 :]
        if name == zone:
            return True
    return False
