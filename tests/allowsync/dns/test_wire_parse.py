"""Every row of the table "what an answer is", as values."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from allowsync.dns.failure import TRUNCATED, Failure, FailureKind
from allowsync.dns.wire_parse import Reading, read
from allowsync.model.answer import Absent, Found
from allowsync.model.types import Family, Query
from tests.allowsync.dns.asking import ALICE, IPV4, IPV6

TEXT = {Family.IPV4: IPV4, Family.IPV6: IPV6}
TYPE = {Family.IPV4: "A", Family.IPV6: "AAAA"}
SOA = "example.org. 300 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60"


def response(
    family: Family = Family.IPV4,
    *,
    answer: tuple[str, ...] = (),
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    flags: int = 0,
) -> bytes:
    query = dns.message.make_query(ALICE, TYPE[family], use_edns=False, id=0x1234)
    message = dns.message.make_response(query, recursion_available=True)
    for section, lines in (
        (message.answer, answer), (message.authority, authority), (message.additional, additional)
    ):  # fmt: skip
        for line in lines:
            owner, ttl, rdclass, rdtype, data = line.split(maxsplit=4)
            section.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, data))
    message.set_rcode(rcode)
    message.flags |= flags
    return message.to_wire()


def reading(wire: bytes, family: Family = Family.IPV4) -> Reading:
    return read(wire, Query(ALICE, family))


def found(*texts: str, ttl: int = 60) -> Found:
    return Found(tuple(map(ip_address, texts)), ttl)


def chain(links: int) -> tuple[str, ...]:
    """A CNAME chain of that many links from ALICE, with an address at its end."""
    names = [ALICE, *(f"link{i}.example.net" for i in range(links))]
    aliases = [f"{a}. 60 IN CNAME {b}." for a, b in pairwise(names)]
    return (*aliases, f"{names[-1]}. 60 IN A {IPV4}")


both_families = pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)


@both_families
def test_an_address_of_the_name_is_found(family: Family) -> None:
    wire = response(family, answer=(f"{ALICE}. 60 IN {TYPE[family]} {TEXT[family]}",))
    assert reading(wire, family) == found(TEXT[family])


@both_families
def test_an_address_at_the_end_of_an_alias_is_found(family: Family) -> None:
    wire = response(
        family,
        answer=(
            f"{ALICE}. 60 IN CNAME home.example.net.",
            f"home.example.net. 30 IN {TYPE[family]} {TEXT[family]}",
        ),
    )
    assert reading(wire, family) == found(TEXT[family], ttl=30)


def test_addresses_are_sorted_and_unique_and_the_least_ttl_counts() -> None:
    lines = tuple(
        f"{ALICE}. {ttl} IN A {text}"
        for ttl, text in ((90, "203.0.113.9"), (60, "203.0.113.10"), (90, "203.0.113.9"))
    )
    assert reading(response(answer=lines)) == found("203.0.113.9", "203.0.113.10")


def test_names_compare_without_regard_to_case() -> None:
    wire = response(answer=(f"{ALICE.upper()}. 60 IN A {IPV4}",))
    assert reading(wire) == found(IPV4)


def test_an_odd_address_is_passed_on_as_it_is() -> None:
    wire = response(Family.IPV6, answer=(f"{ALICE}. 0 IN AAAA ::ffff:203.0.113.7",))
    assert reading(wire, Family.IPV6) == found("::ffff:203.0.113.7", ttl=0)


def test_the_order_of_the_records_does_not_matter() -> None:
    assert reading(response(answer=chain(3)[::-1])) == found(IPV4)


@pytest.mark.parametrize(
    "foreign",
    [
        f"mallory.example.org. 60 IN A {IPV4}",
        f"example.org. 60 IN A {IPV4}",
        f"{ALICE}. 60 CH TXT hello",
        f"{ALICE}. 60 IN TXT {IPV4}",
        f"{ALICE}. 60 IN AAAA {IPV6}",
    ],
)
def test_foreign_records_are_never_taken_for_the_answer(foreign: str) -> None:
    assert isinstance(reading(response(answer=(foreign,))), Failure)
    assert reading(response(answer=(foreign,), authority=(SOA,))) == Absent("NODATA")
    with_the_answer = (foreign, f"{ALICE}. 60 IN A 203.0.113.99")
    assert reading(response(answer=with_the_answer)) == found("203.0.113.99")


@pytest.mark.parametrize("section", ["authority", "additional"])
def test_addresses_outside_the_answer_section_are_not_the_answer(section: str) -> None:
    line = f"{ALICE}. 60 IN A {IPV4}"
    wire = response(**{section: (line,)})  # type: ignore[arg-type]
    assert isinstance(reading(wire), Failure)


@pytest.mark.parametrize("owner", ["example.org", "org", "", ALICE])
@both_families
def test_absence_is_proven_by_the_soa_of_the_name_or_above(family: Family, owner: str) -> None:
    soa = SOA.replace("example.org.", f"{owner}.", 1)
    assert reading(response(family, authority=(soa,)), family) == Absent("NODATA")
    wire = response(family, authority=(soa,), rcode=dns.rcode.NXDOMAIN)
    read = reading(wire, family)
    # A zone's apex exists: what says otherwise is a filter.
    assert isinstance(read, Failure) if owner == ALICE else read == Absent("NXDOMAIN")


def test_absence_at_the_end_of_an_alias_needs_the_soa_of_that_end() -> None:
    alias = (f"{ALICE}. 60 IN CNAME gone.example.net.",)
    proof = SOA.replace("example.org.", "example.net.", 1)
    for rcode in (dns.rcode.NXDOMAIN, dns.rcode.NOERROR):
        proven = reading(response(answer=alias, authority=(proof,), rcode=rcode))
        assert proven == Absent("NXDOMAIN" if rcode else "NODATA")
        assert isinstance(reading(response(answer=alias, authority=(SOA,), rcode=rcode)), Failure)


NOT_PROVEN = {
    "NODATA without SOA: not proven": response(),
    "NXDOMAIN without SOA: not proven": response(rcode=dns.rcode.NXDOMAIN),
    "NXDOMAIN with the SOA of another zone: not proven": response(
        rcode=dns.rcode.NXDOMAIN, authority=(SOA.replace("example.org.", "b.example.org.", 1),)
    ),
    "a referral to other nameservers": response(authority=("example.org. 60 IN NS ns.invalid.",)),
    "NXDOMAIN with addresses": response(
        rcode=dns.rcode.NXDOMAIN, answer=(f"{ALICE}. 60 IN A {IPV4}",), authority=(SOA,)
    ),
    "CNAME loop": response(
        answer=(f"{ALICE}. 60 IN CNAME b.example.org.", f"b.example.org. 60 IN CNAME {ALICE}."),
        authority=(SOA,),
    ),
    "two CNAMEs at one name": response(
        answer=(
            f"{ALICE}. 60 IN CNAME b.example.org.",
            f"{ALICE}. 60 IN CNAME c.example.org.",
            f"b.example.org. 60 IN A {IPV4}",
        )
    ),
    "a CNAME beside an address at one name": response(
        answer=(
            f"{ALICE}. 60 IN CNAME b.example.org.",
            f"{ALICE}. 60 IN AAAA {IPV6}",
            f"b.example.org. 60 IN A {IPV4}",
        )
    ),
    "CNAME chain of more than 8 links": response(answer=chain(9)),
}


@pytest.mark.parametrize(("reason", "wire"), NOT_PROVEN.items(), ids=list(NOT_PROVEN))
def test_an_answer_that_proves_nothing_says_why(reason: str, wire: bytes) -> None:
    assert reading(wire) == Failure(FailureKind.ODD, reason)


def test_a_chain_of_eight_links_is_followed() -> None:
    assert reading(response(answer=chain(8))) == found(IPV4)


def test_an_alias_of_itself_is_a_loop() -> None:
    wire = response(answer=(f"{ALICE}. 60 IN CNAME {ALICE}.",), authority=(SOA,))
    assert reading(wire) == Failure(FailureKind.ODD, "CNAME loop")


@pytest.mark.parametrize(
    "rcode", [code for code in dns.rcode.Rcode if code not in (0, 3) and code < 16]
)
def test_an_error_tells_nothing_even_with_addresses_inside(rcode: dns.rcode.Rcode) -> None:
    wire = response(
        rcode=rcode, answer=(f"{ALICE}. 60 IN A {IPV4}",), authority=(SOA,), flags=dns.flags.TC
    )
    assert reading(wire) == Failure(FailureKind.ERROR, dns.rcode.to_text(rcode))


def test_an_extended_error_is_an_error() -> None:
    message = dns.message.from_wire(response(answer=(f"{ALICE}. 60 IN A {IPV4}",)))
    message.use_edns(0)
    message.set_rcode(dns.rcode.BADVERS)
    assert reading(message.to_wire()) == Failure(FailureKind.ERROR, "BADVERS")


def test_a_truncated_answer_is_not_read() -> None:
    wire = response(answer=(f"{ALICE}. 60 IN A {IPV4}",), flags=dns.flags.TC)
    assert reading(wire) == TRUNCATED


def test_without_the_ad_bit_nothing_is_believed_where_dnssec_is_required() -> None:
    lines = (f"{ALICE}. 60 IN A {IPV4}",)
    query = Query(ALICE, Family.IPV4)
    unvalidated = Failure(FailureKind.ODD, "not validated by DNSSEC")
    assert read(response(answer=lines), query, validated=True) == unvalidated
    assert read(response(authority=(SOA,)), query, validated=True) == unvalidated
    authentic = response(answer=lines, flags=dns.flags.AD)
    assert read(authentic, query, validated=True) == found(IPV4)


GOOD = response(answer=(f"{ALICE}. 60 IN A {IPV4}",))


GARBLED = {
    "nothing": b"",
    "half a header": GOOD[:11],
    "cut short": GOOD[:-1],
    "trailing byte": GOOD + b"\0",
    "a query": GOOD[:2] + bytes((GOOD[2] & 0x7F,)) + GOOD[3:],
    "another opcode": GOOD[:2] + bytes((GOOD[2] | 0x10,)) + GOOD[3:],
    "no question": GOOD[:4] + b"\0\0" + GOOD[6:],
    "two questions": GOOD[:4] + b"\0\2" + GOOD[6:],
    "another name": GOOD.replace(b"\x05alice", b"\x05malic"),
    "five octets of IPv4": GOOD.replace(b"\0\x04\xcb\0\x71\x07", b"\0\x05\xcb\0\x71\x07\0"),
    "three octets of IPv4": GOOD.replace(b"\0\x04\xcb\0\x71\x07", b"\0\x03\xcb\0\x71"),
}


@pytest.mark.parametrize("wire", GARBLED.values(), ids=list(GARBLED))
def test_what_cannot_be_read_or_answers_something_else_is_garbled(wire: bytes) -> None:
    outcome = reading(wire)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.GARBLED


def test_an_answer_to_the_other_family_is_garbled() -> None:
    assert reading(GOOD, Family.IPV6) == Failure(
        FailureKind.GARBLED, "malformed answer: not to the question asked"
    )


@given(st.binary(max_size=600), st.booleans())
@example(b"", True)
def test_no_bytes_raise_anything(wire: bytes, validated: bool) -> None:
    assert isinstance(read(wire, Query(ALICE, Family.IPV4), validated=validated), Failure)


@given(
    st.lists(st.tuples(st.integers(12, 200), st.integers(0, 255)), max_size=6),
    st.sampled_from([*NOT_PROVEN.values(), GOOD, response(answer=chain(8))]),
)
def test_damaged_answers_raise_nothing(damage: list[tuple[int, int]], wire: bytes) -> None:
    damaged = bytearray(wire)
    for place, octet in damage:
        damaged[place % len(damaged)] = octet
    outcome = reading(bytes(damaged))
    assert isinstance(outcome, Found | Absent | Failure)
