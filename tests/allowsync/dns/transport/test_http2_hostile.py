"""What a server may send instead of HTTP/2: it ends in time, costs little, and is no answer."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hpack import Encoder

from allowsync.dns.client import Resolver
from allowsync.model.answer import Found, Unavailable
from testkit.fake_dns.https import MEDIA_TYPE, answer
from tests.allowsync.dns.asking import ALICE, BOTH, ask, settings
from tests.allowsync.dns.transport.test_doh_http2 import HERE, MANY, TWENTY, front, name_in, reason

if TYPE_CHECKING:
    from testkit.fake_dns.http2 import Http2Stream
    from testkit.fake_dns.tls import Authority

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
ACK, END_HEADERS = 0x1, 0x4
TIMEOUT = 0.6


def frame(kind: int, payload: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    """A frame (RFC 9113 section 4.1)."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def head(*fields: tuple[str, str]) -> bytes:
    encoded: bytes = Encoder().encode([(":status", "200"), *fields])
    return encoded


TYPE = ("content-type", MEDIA_TYPE)
WHOLE = head(TYPE)
# A field of 4,000 octets that is put into the table once, and named a thousand times (RFC 7541).
BOMB = Encoder().encode([("x-bomb", "x" * 4000)]) + b"\xbe" * 1000

# What is sent again and again, after a first part, for the first question of a connection.
FLOODS = {
    "settings": (b"", frame(SETTINGS)),
    "settings that change": (b"", frame(SETTINGS, b"\0\x03\0\0\0\x64")),
    "acknowledgements": (b"", frame(SETTINGS, flags=ACK)),
    "pings": (b"", frame(PING, b"how fast")),
    "windows": (b"", frame(WINDOW, b"\0\0\0\1")),
    "windows of the question": (b"", frame(WINDOW, b"\0\0\0\1", 1)),
    "priorities": (b"", frame(PRIORITY, b"\0\0\0\0\1", 1)),
    "unknown frames": (b"", frame(0xEE, bytes(16384))),
    "empty data": (frame(HEADERS, WHOLE, 1, END_HEADERS), frame(DATA, stream=1)),
    "data": (frame(HEADERS, WHOLE, 1, END_HEADERS), frame(DATA, bytes(100), 1)),
    "data after the end": (frame(HEADERS, head(("x", "y")), 1, END_HEADERS), frame(DATA, b"x", 1)),
    "interim responses": (b"", frame(HEADERS, b"\x48\x03103", 1, END_HEADERS)),
    "headers without end": (frame(HEADERS, WHOLE, 1), frame(CONTINUATION, bytes(16384), 1)),
    "empty headers without end": (frame(HEADERS, WHOLE, 1), frame(CONTINUATION, b"", 1)),
    "farewells": (b"", frame(GOAWAY, b"\x7f\xff\xff\xff" + bytes(4))),
}  # fmt: skip

WRONG = {
    "a greeting": b"220 mail.example.net ESMTP\r\n",
    "HTTP/1.1": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "zeros": bytes(4096),
    "a frame that is too long": b"\x00\x40\x01\x04\0\0\0\0\0",
    "a frame that is far too long": b"\xff\xff\xff\x00\0\0\0\0\1",
    "a header bomb": frame(HEADERS, BOMB, 1, END_HEADERS),
    "too many headers": frame(HEADERS, head(*[("x", "y" * 1000)] * 80), 1, END_HEADERS),
    "headers that cannot be read": frame(HEADERS, b"\xff" * 50, 1, END_HEADERS),
    "headers without a status": frame(HEADERS, Encoder().encode([TYPE]), 1, END_HEADERS),
    "a status that is no number": frame(
        HEADERS, Encoder().encode([(":status", "2x0"), TYPE]), 1, END_HEADERS
    ),
    "an answer nobody asked for": frame(HEADERS, WHOLE, 3, END_HEADERS),
    "data before the headers": frame(DATA, b"x", 1),
    "a push": frame(PUSH, b"\0\0\0\2" + WHOLE, 1, END_HEADERS),
    "a continuation of nothing": frame(CONTINUATION, WHOLE, 1, END_HEADERS),
    "a setting that is not allowed": frame(SETTINGS, b"\0\x04\xff\xff\xff\xff"),
    "settings of a wrong size": frame(SETTINGS, b"\0\x04\xff"),
    "a window that is too wide": frame(WINDOW, b"\x7f\xff\xff\xff"),
    "a window of nothing": frame(WINDOW, bytes(4)),
    "a farewell that is too short": frame(GOAWAY, bytes(7)),
    "a ping of a wrong size": frame(PING, b"fast"),
    "another length than was said": frame(
        HEADERS, head(TYPE, ("content-length", "50")), 1, END_HEADERS
    ) + frame(DATA, b"half", 1, ACK),
}  # fmt: skip


@pytest.mark.parametrize(("first", "again"), FLOODS.values(), ids=FLOODS)
def test_a_flood_is_no_answer_and_ends_in_time(
    authority: Authority, first: bytes, again: bytes
) -> None:
    def flood(stream: Http2Stream, wire: bytes) -> None:
        stream.raw(first, again * 3000)

    with front({ALICE: BOTH}, authority, reaction=flood) as (shown, _):
        began = time.monotonic()
        said = reason(ask(settings(shown.nameserver, attempts=1, timeout=TIMEOUT)))
        assert time.monotonic() - began < TIMEOUT + 20.0
        assert said == f"no answer over HTTPS from {shown} in {TIMEOUT} s" or said.startswith(
            f"{shown} "
        )


def test_a_flood_costs_no_other_question_its_answer(authority: Authority) -> None:
    def some(stream: Http2Stream, wire: bytes) -> None:
        if name_in(wire) == b"host7":
            stream.raw(FLOODS["pings"][1] * 3000)
        else:
            answer(stream, wire)

    with front({"*": BOTH}, authority, reaction=some) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1, timeout=5.0)).resolve(TWENTY)
    assert isinstance(answers.pop(TWENTY[7]), Unavailable)
    assert set(answers.values()) == {HERE}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_no_answer(authority: Authority, data: bytes) -> None:
    def wrong(stream: Http2Stream, wire: bytes) -> None:
        stream.raw(data)

    with front({ALICE: BOTH}, authority, reaction=wrong) as (shown, _):
        said = reason(ask(settings(shown.nameserver, attempts=1, timeout=TIMEOUT)))
        assert said == f"no answer over HTTPS from {shown} in {TIMEOUT} s" or said.startswith(
            f"{shown} "
        )


PROGRAM = """
import resource
import sys
from datetime import timedelta
from allowsync.dns.client import Resolver
from allowsync.model.nameserver import Nameserver, ResolverSettings, Transport
from allowsync.model.types import Family, Query

def asked(url):
    there = Nameserver("", int(url.split(":")[2].split("/")[0]), Transport.HTTPS, url=url)
    using = ResolverSettings((there,), timeout=timedelta(seconds=3), attempts=1)
    return Resolver(using).resolve([Query("alice.example.org", Family.IPV4)])

asked(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(asked(sys.argv[2]), file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("how", ["unknown frames", "headers without end", "data"])
def test_a_flood_takes_little_memory(authority: Authority, how: str) -> None:
    first, again = FLOODS[how]

    def flood(stream: Http2Stream, wire: bytes) -> None:
        stream.raw(first, again * 6000)

    with (
        front({ALICE: BOTH}, authority) as (good, _),
        front({ALICE: BOTH}, authority, reaction=flood) as (bad, _),
    ):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, good.url, bad.url],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    assert "Unavailable" in done.stderr
    assert int(done.stdout) < 16 * 1024  # KiB


def test_headers_of_many_kinds_are_read(authority: Authority) -> None:
    def chatty(stream: Http2Stream, wire: bytes) -> None:
        body = wire[:2] + b"\x81\x82" + wire[4:]
        more = [("x", "y" * 500)] * 28
        stream.send([(":status", "200"), TYPE, *more], body)

    with front({ALICE: BOTH}, authority, reaction=chatty) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=1)) == Unavailable("SERVFAIL")


def damaged(chance: random.Random, stream: int, wire: bytes) -> bytes:
    """A whole answer, and bytes in it that are not as they were."""
    body = wire[:2] + b"\x81\x82" + wire[4:]
    parts = frame(PING, b"how fast") + frame(HEADERS, WHOLE, stream, END_HEADERS)
    data = bytearray(parts + frame(DATA, body, stream, ACK))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randrange(12)]
            case _:
                data[at:at] = chance.randbytes(chance.randrange(12))
    return bytes(data)


def test_whatever_comes_nothing_is_raised_and_nothing_believed(authority: Authority) -> None:
    chance = random.Random(6)

    def spoilt(stream: Http2Stream, wire: bytes) -> None:
        stream.raw(damaged(chance, stream.number, wire))

    with front({"*": BOTH}, authority, reaction=spoilt) as (shown, _):
        using = settings(shown.nameserver, attempts=2, timeout=0.2)
        answers = Resolver(using).resolve(MANY)
    assert not any(isinstance(one, Found) for one in answers.values())
    assert len({reason(one) for one in answers.values()}) > 2
