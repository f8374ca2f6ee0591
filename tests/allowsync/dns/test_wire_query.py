from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.dns.wire_query import (
    Likeness,
    Unaskable,
    is_truncated,
    likeness,
    message,
    question,
    wire_name,
)
from allowsync.model.types import Family, Query
from tests.allowsync.dns.asking import ALICE

ASKED = question(Query(ALICE, Family.IPV4))
LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)


@given(st.lists(LABEL, min_size=1, max_size=3).map(".".join))
def test_a_names_wire_form_is_the_one_dnspython_makes(hostname: str) -> None:
    assert wire_name(hostname) == dns.name.from_text(hostname + ".").to_wire()


@pytest.mark.parametrize(
    "hostname",
    [
        "",
        ".",
        "a..b",
        "a.",
        "x" * 64,
        ".".join(["x" * 60] * 5),
        "bücher.example",
        "a\u2028b.example",
    ],
)
def test_a_name_without_a_wire_form_cannot_be_asked(hostname: str) -> None:
    with pytest.raises(Unaskable):
        wire_name(hostname)


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("validate", [False, True])
def test_a_question_asks_for_one_address_type_with_recursion_and_no_edns(
    family: Family, validate: bool
) -> None:
    section = question(Query(ALICE, family)).section
    parsed = dns.message.from_wire(message(b"\x12\x34", section, validate=validate))
    assert parsed.id == 0x1234
    assert parsed.flags == dns.flags.RD | (dns.flags.AD if validate else 0)
    assert parsed.edns == -1
    assert [one.name.to_text() for one in parsed.question] == [ALICE + "."]
    assert parsed.question[0].rdtype == getattr(dns.rdatatype, "AAAA" if family.bits > 32 else "A")


def test_only_the_case_of_letters_is_mixed() -> None:
    spellings = {ASKED.mixed() for _ in range(50)}
    assert len(spellings) > 40
    assert {one.lower() for one in spellings} == {ASKED.section}


def response(section: bytes, flags: bytes = b"\x81\x80") -> bytes:
    return b"id" + flags + b"\0\x01\0\0\0\0\0\0" + section


MIXED = ASKED.section.replace(b"alice", b"aLiCe")


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (response(MIXED), Likeness.SAME),
        (response(MIXED) + b"whatever follows", Likeness.SAME),
        (response(ASKED.section), Likeness.CASE),
        (response(MIXED.swapcase()), Likeness.CASE),
        (response(question(Query("bob.example.org", Family.IPV4)).section), Likeness.OTHER),
        (response(question(Query(ALICE, Family.IPV6)).section), Likeness.OTHER),
        (response(MIXED, b"\x01\x80"), Likeness.OTHER),  # a query
        (response(MIXED, b"\x91\x80"), Likeness.OTHER),  # another opcode
        (response(MIXED)[:-1], Likeness.OTHER),
        (b"id\x81\x82" + bytes(8), Likeness.BARE),
        (b"id\x81\x80" + bytes(8), Likeness.OTHER),  # no question and no error either
        (b"id\x81\x82\0\0\0\x01\0\0\0\0", Likeness.OTHER),
        (b"id\x81\x80\0\x02" + bytes(6) + MIXED * 2, Likeness.OTHER),
        (b"id", Likeness.OTHER),
        (b"", Likeness.OTHER),
    ],
)
def test_a_response_is_compared_with_the_question(wire: bytes, expected: Likeness) -> None:
    assert likeness(wire, MIXED) is expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(b"\x83\x80", True), (b"\x83\x83", True), (b"\x81\x80", False), (b"\x83\x82", False)],
)
def test_an_error_is_an_error_whether_or_not_it_was_cut_short(flags: bytes, expected: bool) -> None:
    assert is_truncated(response(MIXED, flags)) is expected
