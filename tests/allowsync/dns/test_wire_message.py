"""Messages are taken apart as dnspython does it, and no message takes long."""

from __future__ import annotations

import struct
import time
from ipaddress import ip_address

import dns.exception
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.wire_message import MAX_RECORDS, Malformed, TooManyRecords, WireRecord, parse
from allowsync.dns.wire_parse import read
from allowsync.dns.wire_query import question
from allowsync.model.answer import Found
from allowsync.model.types import Family, Query

NAME = "alice.example.org"
LONG = b"\x01a" * 120 + b"\0"
READ = (1, 2, 5, 6, 28)


def message(
    *answer: str, authority: tuple[str, ...] = (), additional: tuple[str, ...] = ()
) -> bytes:
    made = dns.message.make_response(dns.message.make_query(NAME, "A", use_edns=False, id=1))
    sections = ((made.answer, answer), (made.authority, authority), (made.additional, additional))
    for section, lines in sections:
        for line in lines:
            owner, ttl, rdclass, rdtype, data = line.split(maxsplit=4)
            section.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, data))
    return made.to_wire()


def by_dnspython(section: list[dns.rrset.RRset]) -> list[WireRecord]:
    """The records of one section as dnspython understands them."""
    found = []
    for rrset in section:
        data: object = None
        if rrset.rdclass == 1 and rrset.rdtype in (1, 28):
            data = ip_address(rrset[0].address)
        elif rrset.rdclass == 1 and rrset.rdtype in (2, 5):
            data = rrset[0].target.canonicalize().to_wire()
        owner = rrset.name.canonicalize().to_wire()
        found.append(WireRecord(owner, int(rrset.rdtype), int(rrset.rdclass), rrset.ttl, data))  # type: ignore[arg-type]
    return found


SAMPLES = [
    message(f"{NAME}. 60 IN A 203.0.113.7"),
    message(f"{NAME}. 60 IN A 203.0.113.7", f"{NAME}. 2147483647 IN A 203.0.113.8"),
    message(f"{NAME}. 60 IN CNAME b.example.net.", "b.example.net. 1 IN AAAA 2001:db8::7"),
    message(authority=("example.org. 300 IN SOA ns.example.org. h.example.org. 1 2 3 4 5",)),
    message(authority=("org. 300 IN NS a.nic.org.",), additional=("a.nic.org. 9 IN A 192.0.2.1",)),
    message(f"{NAME}. 60 IN TXT hello", f"{NAME}. 60 CH TXT hello"),
]


@pytest.mark.parametrize("wire", SAMPLES)
def test_every_record_is_the_one_that_dnspython_reads(wire: bytes) -> None:
    theirs = dns.message.from_wire(wire, one_rr_per_rrset=True)
    mine = parse(wire)
    assert list(mine.answer) == by_dnspython(theirs.answer)
    assert list(mine.authority) == by_dnspython(theirs.authority)
    assert (mine.flags, mine.rcode) == (int(theirs.flags), int(theirs.rcode()))


@given(st.data(), st.sampled_from(SAMPLES))
def test_damaged_messages_are_read_as_dnspython_reads_them_or_not_at_all(
    data: st.DataObject, wire: bytes
) -> None:
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        mine = parse(bytes(damaged))
    except (Malformed, TooManyRecords):
        mine = None
    try:
        theirs = dns.message.from_wire(bytes(damaged), one_rr_per_rrset=True)
    except (dns.exception.DNSException, ValueError):
        theirs = None
    if mine is None:
        assert theirs is None or sum(struct.unpack("!4H", damaged[4:12])) > MAX_RECORDS
    elif theirs is not None and theirs.opcode() == 0:
        for ours, section in ((mine.answer, theirs.answer), (mine.authority, theirs.authority)):
            assert [one._replace(ttl=one.seconds) for one in ours] == by_dnspython(section)
    else:
        # What dnspython finds wrong is in something that is never read.
        records = (*mine.answer, *mine.authority)
        unread = any(one.rdtype not in READ or one.rdclass != 1 for one in records)
        assert unread or mine.flags & 0x7800 or damaged[10:12] != b"\0\0"


GOOD = SAMPLES[0]


def bomb(count: int, name: bytes, *, far: bool) -> bytes:
    """A response full of aliases of long names: written once and pointed at, or all of them new."""
    question = question_of(NAME)
    wire = bytearray(struct.pack("!6H", 1, 0x8180, 1, count, 0, 0) + question)
    place = len(wire)
    wire += name + struct.pack("!HHIH", 5, 1, 60, 2) + struct.pack("!H", 0xC000 | place)
    for n in range(1, count):
        owner = struct.pack("!H", 0xC000 | place + (2 * n % 200 if far else 0))
        wire += owner + struct.pack("!HHIH", 5, 1, 60, 2) + struct.pack("!H", 0xC000 | place)
    return bytes(wire)


def question_of(name: str) -> bytes:
    return question(Query(name, Family.IPV4)).section


def with_record(owner: bytes, rdtype: int, data: bytes, times: int = 1, at: int = 10) -> bytes:
    """A good response, and records of class ANY behind it, which the count at a place includes."""
    made = owner + struct.pack("!HHIH", rdtype, 255, 0, len(data)) + data
    count = struct.pack("!H", int.from_bytes(GOOD[at : at + 2], "big") + times)
    return GOOD[:at] + count + GOOD[at + 2 :] + made * times


POINTERS = b"".join(struct.pack("!H", 0xC000 | 10 + 2 * n) for n in range(8000))
CURVE = struct.pack("!6H", 1, 0x8180, 1, 0, 0, 1) + b"\0" + POINTERS

SLOW = {
    "aliases that point at one long name": bomb(4600, LONG, far=False),
    "as many as are read": bomb(MAX_RECORDS - 1, LONG, far=True),
    "as many as are read, of short names": bomb(MAX_RECORDS - 1, LONG[-41:], far=False),
    "pointers to pointers": CURVE,
    "options without end": with_record(b"\0", 41, b"\xfd\xe9\0\0" * 16000),
    "more records than there are bytes": GOOD[:6] + b"\xff\xff" * 3 + GOOD[12:],
}


@pytest.mark.parametrize("wire", SLOW.values(), ids=list(SLOW))
def test_no_message_takes_long_to_read(wire: bytes) -> None:
    began = time.thread_time()
    assert isinstance(read(wire + b"x", Query(NAME, Family.IPV4)), Failure)
    assert time.thread_time() - began < 0.05


def test_more_records_than_an_answer_has_are_not_read() -> None:
    lines = [f"{NAME}. 60 IN A 203.0.{n // 250}.{n % 250}" for n in range(MAX_RECORDS)]
    told = read(message(*lines), Query(NAME, Family.IPV4))
    assert told == Failure(FailureKind.ODD, "more than 512 records in one answer")
    assert isinstance(read(message(*lines[2:]), Query(NAME, Family.IPV4)), Found)


OPTION = b"\xfd\xe9\0\x02ab"
SOUND = {
    "no option": with_record(b"\0", 41, b""),
    "two options": with_record(b"\0", 41, OPTION * 2),
    "an empty option": with_record(b"\0", 41, b"\xfd\xe9\0\0"),
}
UNSOUND = {
    "options of a name": with_record(b"\xc0\x0c", 41, b""),
    "options twice": with_record(b"\0", 41, b"", 2),
    "options among the answers": with_record(b"\0", 41, b"", at=6),
    "half an option": with_record(b"\0", 41, OPTION[:3]),
    "an option cut short": with_record(b"\0", 41, OPTION[:-1]),
    "an option that is longer": with_record(b"\0", 41, OPTION + b"\xfd\xe9\xff\xff"),
    "a byte behind the options": with_record(b"\0", 41, OPTION + b"x"),
    "a signature that is none": with_record(b"\0", 250, bytes(20)),
    "a signature": with_record(
        b"\0", 250, b"\x03key\0" + bytes(6) + struct.pack("!3H", 300, 0, 1) + bytes(4)
    ),
}


@pytest.mark.parametrize("wire", SOUND.values(), ids=list(SOUND))
def test_options_nobody_asked_for_do_no_harm(wire: bytes) -> None:
    dns.message.from_wire(wire)
    assert isinstance(read(wire, Query(NAME, Family.IPV4)), Found)


@pytest.mark.parametrize("wire", UNSOUND.values(), ids=list(UNSOUND))
def test_what_a_message_says_of_itself_has_to_be_sound(wire: bytes) -> None:
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(wire)
    told = read(wire, Query(NAME, Family.IPV4))
    assert isinstance(told, Failure)
    assert told.kind is FailureKind.GARBLED


@pytest.mark.parametrize("pointer", [12, 60, 16383])
def test_a_pointer_leads_backward_or_nowhere(pointer: int) -> None:
    wire = bytearray(GOOD)
    at = wire.index(b"\xc0\x0c")
    wire[at : at + 2] = struct.pack("!H", 0xC000 | pointer)
    told = read(bytes(wire), Query(NAME, Family.IPV4))
    if pointer == 12:
        assert isinstance(told, Found)
    else:
        assert told == Failure(
            FailureKind.GARBLED, "malformed answer: a pointer that leads nowhere"
        )
