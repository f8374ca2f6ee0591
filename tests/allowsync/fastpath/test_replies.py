"""Two answers are the same when they differ in nothing but id, spelling and TTLs."""

from __future__ import annotations

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.reply_mask import masked, time_offsets

NAME = "alice.example.org."
SECTION = b"\x05alice\x07example\x03org\x00\x00\x01\x00\x01"


def answer(*records: str, ttl: int = 60, ident: int = 1, name: str = NAME, soa: int = 0) -> bytes:
    query = dns.message.make_query(name, "A", id=ident, use_edns=False)
    response = dns.message.make_response(query)
    for record in records:
        kind, text = record.split(" ", 1)
        response.answer.append(dns.rrset.from_text(NAME, ttl, "IN", kind, text))
    if soa:
        text = "ns.example.org. host.example.org. 1 2 3 4 5"
        response.authority.append(dns.rrset.from_text("example.org.", soa, "IN", "SOA", text))
    return response.to_wire()


def same(one: bytes, other: bytes) -> bool:
    offsets = time_offsets(one)
    size = len(SECTION)
    return masked(one, size, offsets) == masked(other, size, offsets)


@given(st.integers(0, 65535), st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_id_and_ttls_make_no_difference(ident: int, ttl: int, soa: int) -> None:
    assert same(answer("A 81.2.69.1", soa=9), answer("A 81.2.69.1", ident=ident, ttl=ttl, soa=soa))


def test_the_spelling_of_the_question_makes_no_difference() -> None:
    assert same(answer("A 81.2.69.1"), answer("A 81.2.69.1", name="aLiCe.ExAmPlE.oRg."))


@pytest.mark.parametrize(
    "other",
    [
        answer("A 81.2.69.2"),
        answer("A 81.2.69.1", "TXT more"),
        answer(),
        answer("A 81.2.69.1")[:-1],
        answer("A 81.2.69.1") + b"\0",
        answer("A 81.2.69.1", soa=60),
        answer("AAAA 2a01::1"),
        b"",
    ],
)
def test_anything_else_makes_one(other: bytes) -> None:
    assert not same(answer("A 81.2.69.1"), other)


@given(st.integers(2, 400), st.integers(0, 7))
def test_a_flipped_bit_outside_of_id_question_and_ttl_makes_a_difference(
    place: int, bit: int
) -> None:
    wire = answer("A 81.2.69.1", "TXT hello", soa=7)
    offsets = time_offsets(wire)
    place %= len(wire)
    flipped = bytearray(wire)
    flipped[place] ^= 1 << bit
    blank = {0, 1, *range(12, 12 + len(SECTION))}
    blank |= {offset + n for offset in offsets for n in range(4)}
    assert same(wire, bytes(flipped)) is (place in blank)


def test_every_ttl_is_found() -> None:
    wire = answer("A 81.2.69.1", "A 81.2.69.2", ttl=0x01020304, soa=0x01020304)
    offsets = time_offsets(wire)
    assert len(offsets) == wire.count(b"\x01\x02\x03\x04") == 3
    assert all(wire[at : at + 4] == b"\x01\x02\x03\x04" for at in offsets)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_answer_are_told_and_never_loop(wire: bytes) -> None:
    try:
        offsets = time_offsets(wire)
    except IndexError:
        return
    assert all(12 <= offset <= len(wire) - 4 for offset in offsets)
