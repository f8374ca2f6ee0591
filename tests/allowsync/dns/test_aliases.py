"""Chains of aliases are followed by dnspython, and what it has to read for that is bounded."""

from __future__ import annotations

import time

import dns.message
import dns.rrset
import pytest

from allowsync.dns.failure import Failure
from allowsync.dns.wire_message import MAX_RECORDS
from allowsync.dns.wire_parse import MAX_UNREAD, read
from allowsync.model.answer import Found
from allowsync.model.types import Family, Query
from tests.support.values import found

NAME = "alice.example.org"
ALICE = Query(NAME, Family.IPV4)
ALIASED = (f"{NAME}. 60 IN CNAME B.example.net.", "b.example.NET. 30 IN A 81.2.69.1")
POINTERS = b"\xc0\x0c"


def message(*answer: str) -> dns.message.Message:
    made = dns.message.make_response(dns.message.make_query(NAME, "A", use_edns=False))
    for line in answer:
        owner, ttl, rdclass, rdtype, data = line.split(maxsplit=4)
        made.answer.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, data))
    return made


def with_record(wire: bytes, rdtype: int, data: bytes, times: int = 1) -> bytes:
    """A response with further records at the name that was asked."""
    head = POINTERS + rdtype.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big")
    count = int.from_bytes(wire[6:8], "big") + times
    return wire[:6] + count.to_bytes(2, "big") + wire[8:] + (head + data) * times


def test_an_alias_leads_to_the_addresses_of_another_name() -> None:
    assert read(message(*ALIASED).to_wire(), ALICE) == found("81.2.69.1", ttl=30)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((f"{NAME}. 1 IN CNAME {NAME}.",), "CNAME loop"),
        ((*ALIASED, f"{NAME}. 1 IN CNAME c.example."), "two CNAMEs at one name"),
        ((*ALIASED, f"{NAME}. 1 IN A 81.2.69.9"), "a CNAME beside an address at one name"),
    ],
)
def test_a_chain_that_cannot_be_is_no_answer(answer: tuple[str, ...], why: str) -> None:
    reading = read(message(*answer).to_wire(), ALICE)
    assert isinstance(reading, Failure)
    assert reading.reason == why


def test_data_of_other_types_is_bounded_beside_an_alias() -> None:
    wire, text = message(*ALIASED).to_wire(), bytes([255]) + b"x" * 255
    few, many = MAX_UNREAD // 256, MAX_UNREAD // 256 + 1
    assert isinstance(read(with_record(wire, 16, text, few), ALICE), Found)
    assert isinstance(read(with_record(wire, 16, text, many), ALICE), Failure)


def test_no_aliased_answer_takes_long_to_read() -> None:
    """As many records as are read, names as long as they may be, and a type that holds names."""
    long = ".".join("a" for _ in range(110)) + ".example"
    links = [f"{long[2 * n :]}. 60 IN CNAME {long}." for n in range(100)]
    bomb = with_record(message(*ALIASED, *links).to_wire(), 55, b"", 1)
    servers = b"\1\1\0\1xy" + POINTERS * ((MAX_UNREAD - 6) // 2)  # HIP, RFC 8005
    bomb = with_record(message(*ALIASED, *links).to_wire(), 55, servers)
    assert len(links) < MAX_RECORDS
    began = time.process_time()
    read(bomb, ALICE)
    assert time.process_time() - began < 1
