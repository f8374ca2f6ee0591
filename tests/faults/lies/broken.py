"""Errors, and answers that are broken, forged or unfinished: none of them says anything."""

from __future__ import annotations

import dns.rcode

from testkit.fake_dns.behaviours import BareError, Rcode, Records, Silent
from testkit.fake_dns.forgeries import (
    AlwaysTruncated,
    Crafted,
    CutShort,
    Drip,
    Flags,
    Garbage,
    HangUp,
    NotAResponse,
    OtherQuestion,
    Questions,
    Shortened,
    TrailingBytes,
    Unframed,
    WrongId,
    WrongQuestion,
    record,
)
from tests.faults.lies.case import At, Case, Says, Value, all_say
from tests.faults.lies.found import SOA

FAILED = [dns.rcode.Rcode(code) for code in range(1, 16) if code != dns.rcode.NXDOMAIN]
LONG_NAME = (b"\x3f" + b"x" * 63) * 4 + b"\0"


def owned(owner: bytes) -> Value:
    """An evil address whose owner is these bytes."""
    return lambda at: Crafted(record(at.code, at.packed, owner=owner))


def evil(at: At, **wrong: int) -> bytes:
    return record(at.code, at.packed, **wrong)  # type: ignore[arg-type]


ERRORS = all_say(
    Says.NOTHING,
    {
        **{
            f"{dns.rcode.to_text(code)} with addresses": lambda at, code=code: Rcode(code, at.evil)  # type: ignore[misc]
            for code in FAILED
        },
        **{
            f"{dns.rcode.to_text(code)} alone": lambda _, code=code: Rcode(code)  # type: ignore[misc]
            for code in FAILED[:5]
        },
        "SERVFAIL with a soa": lambda _: Records((), (SOA,), rcode=dns.rcode.SERVFAIL),
        "FORMERR without the question": lambda _: BareError(),
        "REFUSED without the question": lambda _: BareError(dns.rcode.REFUSED),
        "an extended error with addresses": lambda at: Crafted(
            evil(at) + record(41, b"", owner=b"\0", rdclass=1232, ttl=1 << 24), (1, 0, 1)
        ),
    },
)

FORGED = all_say(
    Says.NOTHING,
    {
        "silence": lambda _: Silent(),
        "a wrong id": lambda at: WrongId(at.evil),
        "a wrong question": lambda at: WrongQuestion(at.evil),
        "a question about the parent": lambda at: WrongQuestion(at.evil, "example.org"),
        "a question of another type": lambda at: OtherQuestion(at.evil, "MX"),
        "a question of class CH": lambda at: OtherQuestion(at.evil, rdclass="CH"),
        "no question": lambda at: Questions(0, at.evil),
        "two questions": lambda at: Questions(2, at.evil),
        "a query": lambda at: NotAResponse(at.evil),
        "a status": lambda at: Flags(at.evil, set=0x1000),
        "a notification": lambda at: Flags(at.evil, set=0x2000),
        "an update": lambda at: Flags(at.evil, set=0x2800),
        "truncated over TCP too": lambda _: AlwaysTruncated(),
        "truncated with an address in it": lambda at: Flags(at.evil, set=0x0200),
        "truncated, no such name": lambda _: Flags(None, set=0x0200),
    },
)

UNFINISHED = all_say(
    Says.NOTHING,
    {
        "a length of nothing": lambda _: Unframed(bytes(2)),
        "nothing but lengths": lambda _: Unframed(bytes(4000)),
    },
)

# What else was asked over the same connection is not answered either: it is closed, or what comes
# behind is taken for a part of these.
SPOILING = {
    name: Case(value, Says.NOTHING, alone=True)
    for name, value in {
        "the connection closed": lambda _: HangUp(),
        "the connection closed midway": lambda _: Unframed(b"\x00\x40" + bytes(9), close=True),
        "the answer cut short": lambda at: CutShort(at.evil),
        "a slow drip": lambda at: Drip(0.2, at.evil),
        "a length too long": lambda _: Unframed(b"\xff\xff" + bytes(40)),
        "a greeting": lambda _: Unframed(b"HTTP/1.1 200 OK\r\n\r\n", close=True),
    }.items()
}

MALFORMED = all_say(
    Says.NOTHING,
    {
        "garbage": lambda _: Garbage(),
        "garbage from the start": lambda _: Garbage(question=False),
        "a header alone": lambda _: Unframed(bytes(12)),
        "half a header": lambda at: Shortened(at.evil, 7),
        "the question cut": lambda at: Shortened(at.evil, 20),
        "the last bytes missing": lambda at: Shortened(at.evil),
        "trailing bytes": lambda at: TrailingBytes(at.evil),
        "one trailing byte": lambda at: TrailingBytes(at.evil, b"\0"),
        "a second message behind": lambda at: TrailingBytes(at.evil, bytes(12)),
        "an owner that points at itself": lambda at: owned(
            (0xC000 + 12 + len(at.name) + 6).to_bytes(2, "big")
        )(at),
        "an owner that points ahead": owned(b"\xff\xff"),
        "an owner that points at the header": owned(b"\xc0\x00"),
        "an owner with a label of 64": owned(b"\x40" + b"x" * 64 + b"\0"),
        "an owner with a reserved label": owned(b"\x80x\0"),
        "an owner of 257": owned(LONG_NAME),
        "an owner without end": owned(b"\x3fxx"),
        "data longer than said": lambda at: Crafted(evil(at, length=2)),
        "data shorter than said": lambda at: Crafted(evil(at, length=200)),
        "data of no length": lambda at: Crafted(record(at.code, b"")),
        "data of one byte more": lambda at: Crafted(record(at.code, at.packed + b"\0")),
        "data of one byte less": lambda at: Crafted(record(at.code, at.packed[:-1])),
        "data of the other family's length": lambda at: Crafted(
            record(at.code, bytes(4 if at.code == 28 else 16))
        ),
        "fewer records than said": lambda at: Crafted(evil(at), (2, 0, 0)),
        "more records than said": lambda at: Crafted(evil(at) * 2, (1, 0, 0)),
        "no records said": lambda at: Crafted(evil(at), (0, 0, 0)),
        "a huge number of answers": lambda at: Crafted(evil(at), (65535, 0, 0)),
        "a huge number of everything": lambda at: Crafted(evil(at), (65535, 65535, 65535)),
        "a huge number of questions": lambda at: Crafted(evil(at), asking=65535),
        "no number of questions": lambda at: Crafted(evil(at), asking=0),
        "class CH": lambda at: Crafted(evil(at, rdclass=3)),
        "class NONE": lambda at: Crafted(evil(at, rdclass=254)),
        "class ANY": lambda at: Crafted(evil(at, rdclass=255)),
        "the other family's type": lambda at: Crafted(
            record(29 - at.code, bytes(16 if at.code == 1 else 4))
        ),
        "an unknown type": lambda at: Crafted(record(65280, at.packed)),
        "an alias that points at itself": lambda at: Crafted(
            record(5, (0xC000 + 12 + len(at.name) + 18).to_bytes(2, "big"))
        ),
        "a soa cut short": lambda _: Crafted(record(6, b"\0\0\0"), (0, 1, 0), 0x8183),
        "options twice": lambda at: Crafted(
            evil(at) + record(41, b"", owner=b"\0", rdclass=1232, ttl=0) * 2, (1, 0, 2)
        ),
        "options of a name": lambda at: Crafted(evil(at) + record(41, b"", rdclass=512), (1, 0, 1)),
        "options among the answers": lambda at: Crafted(
            record(41, b"", owner=b"\0", rdclass=1232, ttl=0) + evil(at), (2, 0, 0)
        ),
        "a signature nobody asked for": lambda at: Crafted(
            evil(at) + record(250, bytes(20), owner=b"\0", rdclass=255, ttl=0), (1, 0, 1)
        ),
    },
)  # fmt: skip

SUSPICIOUS = {
    "a mapped or private address": Case(lambda at: ["10.6.6.6", "::ffff:6.6.6.6"], Says.SUSPICIOUS),
    "loopback, as block lists say": Case(lambda at: ["127.0.0.1", "::1"], Says.SUSPICIOUS),
    "zero, as block lists say": Case(lambda at: ["0.0.0.0", "::"], Says.SUSPICIOUS),
}

CASES = {**ERRORS, **FORGED, **UNFINISHED, **SPOILING, **MALFORMED, **SUSPICIOUS}
