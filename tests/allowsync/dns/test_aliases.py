"""Chains of aliases end where dnspython says they end, and none takes long to follow."""

from __future__ import annotations

import itertools
import time

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.dns.failure import Failure
from allowsync.dns.wire_message import MAX_RECORDS
from allowsync.dns.wire_parse import MAX_CHAIN, read
from allowsync.model.answer import Found
from allowsync.model.types import Family, Query
from tests.support.values import found

NAME = "alice.example.org"
ALICE = Query(NAME, Family.IPV4)
ALIASED = (f"{NAME}. 60 IN CNAME B.example.net.", "b.example.NET. 30 IN A 81.2.69.1")


def message(*answer: str) -> dns.message.Message:
    made = dns.message.make_response(dns.message.make_query(NAME, "A", use_edns=False))
    for line in answer:
        owner, ttl, rdclass, rdtype, data = line.split(maxsplit=4)
        made.answer.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, data))
    return made


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


def test_an_alias_of_another_class_leads_nowhere() -> None:
    answer = (f"{NAME}. 60 CH CNAME c.example.", f"{NAME}. 60 IN A 81.2.69.1")
    assert read(message(*answer).to_wire(), ALICE) == found("81.2.69.1", ttl=60)


NAMES = (NAME, *(f"{letter}.example.net" for letter in "bcDe"))


@given(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES), min_size=1),
    st.lists(st.sampled_from(NAMES), unique=True),
    st.randoms(),
)
def test_a_chain_ends_where_dnspython_says(
    links: dict[str, str], owners: list[str], order: object
) -> None:
    lines = [f"{owner}. 60 IN CNAME {target.swapcase()}." for owner, target in links.items()]
    lines += [f"{owner}. 60 IN A 81.2.69.{NAMES.index(owner)}" for owner in owners]
    order.shuffle(lines)  # type: ignore[attr-defined]
    wire = message(*lines).to_wire()
    reading = read(wire, ALICE)
    chain = [NAME]
    while (target := links.get(chain[-1])) is not None and target not in chain:
        chain.append(target)
    if target is not None or any(one in owners for one in chain[:-1]):
        assert isinstance(reading, Failure)
        return
    theirs = dns.message.from_wire(wire)
    assert isinstance(theirs, dns.message.QueryMessage)
    end = theirs.resolve_chaining().answer
    if end is None:
        assert isinstance(reading, Failure), "no address, and no SOA"
    else:
        assert reading == found(*(one.address for one in end), ttl=60)


def test_no_aliased_answer_takes_long_to_read() -> None:
    """As many records as are read, and names as long as they may be."""
    long = ".".join("a" for _ in range(110)) + ".example"
    links = [f"{long[2 * n :]}. 60 IN CNAME {long}." for n in range(100)]
    chain = [NAME, *(f"{n}.{long[:-20]}" for n in range(MAX_RECORDS - len(links) - 2))]
    links += [f"{a}. 60 IN CNAME {b}." for a, b in itertools.pairwise(chain)]
    wire = message(*links).to_wire()
    began = time.process_time()
    reading = read(wire, ALICE)
    assert time.process_time() - began < 0.1
    assert isinstance(reading, Failure)
    assert str(MAX_CHAIN) in reading.reason


def test_data_of_other_types_beside_an_alias_is_passed_over() -> None:
    wire, text = message(*ALIASED).to_wire(), bytes([255]) + b"x" * 255
    record = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + len(text).to_bytes(2, "big") + text
    count = int.from_bytes(wire[6:8], "big") + 20
    beside = wire[:6] + count.to_bytes(2, "big") + wire[8:] + record * 20
    assert isinstance(read(beside, ALICE), Found)
