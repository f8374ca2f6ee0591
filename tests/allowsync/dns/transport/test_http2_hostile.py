"""What a server may send instead of HTTP/2: it ends, soon, and costs little."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from hpack import Encoder

from allowsync.dns.failure import Kind
from allowsync.dns.query_state import Ask, Inquiry, Server
from allowsync.dns.transport.doh_codec import MAX_HEAD, MEDIA_TYPE, Answered, Ended, Resource
from allowsync.dns.transport.http2 import FRAMES, FRAMES_PER_QUESTION, Http2
from allowsync.dns.wire_query import message, question
from allowsync.model.types import Family, Query
from tests.allowsync.dns.asking import ALICE, BOTH, ask, settings
from tests.allowsync.dns.transport.test_doh_http2 import front, reason

if TYPE_CHECKING:
    from testkit.fake_dns.http2 import Http2Stream
    from testkit.fake_dns.tls import Authority

NONSENSE = "server does not keep to HTTP/2"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
ACK, END_HEADERS = 0x1, 0x4


def frame(kind: int, payload: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    """A frame (RFC 9113 section 4.1)."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def head(*fields: tuple[str, str]) -> bytes:
    encoded: bytes = Encoder().encode([(":status", "200"), *fields])
    return encoded


TYPE = ("content-type", MEDIA_TYPE.decode())
WHOLE = head(TYPE)
# A field of 4,000 octets that is put into the table once, and named a thousand times (RFC 7541).
BOMB = Encoder().encode([("x-bomb", "x" * 4000)]) + b"\xbe" * 1000

# What is sent again and again, after a first part.
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
    "too many headers": frame(HEADERS, head(*[("x", "y" * 1000)] * 20), 1, END_HEADERS),
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


def asked(*names: str) -> tuple[Http2, list[Ask]]:
    """One side of a connection, with questions under way."""
    speech = Http2("server", Resource(b"dns.example.net", b"/dns-query"))
    asks = []
    for name in names:
        asking = question(Query(name, Family.IPV4))
        ask = Ask(Inquiry(Query(name, Family.IPV4), asking, ()), _nobody())
        ask.datagram = message(b"id", asking.section, validate=False)
        speech.put(ask)
        asks.append(ask)
    speech.to_send()
    speech.receive(frame(SETTINGS))
    return speech, asks


def _nobody() -> Server:
    return Server.__new__(Server)


@pytest.mark.parametrize(("first", "again"), FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_the_connection_soon(first: bytes, again: bytes) -> None:
    speech, (ask,) = asked(ALICE)
    outcomes = list(speech.receive(first))
    frames, sent = 0, 0
    while not outcomes or not isinstance(outcomes[-1], Ended):
        outcomes += speech.receive(again)
        sent += len(speech.to_send())
        frames += 1
        assert frames <= FRAMES + FRAMES_PER_QUESTION
        if ask not in speech.asks and speech.closing:
            break  # the connection would be closed
    assert sent <= 40 * frames


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_ends_the_connection(data: bytes) -> None:
    speech, (ask,) = asked(ALICE)
    (ended,) = speech.receive(data)
    assert isinstance(ended, Ended)
    assert (ended.failure.kind, ended.failure.reason) == (Kind.STREAM, NONSENSE)
    assert (speech.has_room, list(speech.asks)) == (False, [ask])
    speech.forget(ask)
    assert not speech.asks


def test_what_was_whole_before_nonsense_still_counts() -> None:
    speech, (alice, bob) = asked(ALICE, "bob.example.org")
    good = frame(HEADERS, WHOLE, 3, END_HEADERS) + frame(DATA, b"answer", 3, ACK)
    answered, ended = speech.receive(good + WRONG["a push"])
    assert answered == Answered(bob, b"answer")
    assert isinstance(ended, Ended)
    assert list(speech.asks) == [alice]


def test_headers_up_to_their_limit_are_read() -> None:
    speech, (alice,) = asked(ALICE)
    fields = [TYPE, *[("x", "y" * 500)] * ((MAX_HEAD - 300) // 540)]
    assert speech.receive(frame(HEADERS, head(*fields), 1, END_HEADERS)) == []
    assert speech.receive(frame(DATA, b"answer", 1, ACK)) == [Answered(alice, b"answer")]


def bodies(sent: bytes) -> list[bytes]:
    """The payload of every DATA frame."""
    found = []
    while sent:
        end = 9 + int.from_bytes(sent[:3], "big")
        if sent[3] == DATA:
            found.append(sent[9:end])
        sent = sent[end:]
    return found


def test_no_more_of_a_question_is_sent_than_the_server_takes_now() -> None:
    speech, _ = asked()
    speech.receive(frame(SETTINGS, b"\0\x04\0\0\0\x05"))  # INITIAL_WINDOW_SIZE 5
    speech.to_send()
    other = asked(ALICE)[1][0]
    speech.put(other)
    assert bodies(speech.to_send()) == [other.datagram[:5]]
    speech.receive(frame(WINDOW, b"\0\0\0\x03", 1))
    assert bodies(speech.to_send()) == [other.datagram[5:8]]
    speech.receive(frame(SETTINGS, b"\0\x04\0\0\xff\xff"))
    assert bodies(speech.to_send()) == [other.datagram[8:]]


def transcript() -> bytes:
    """What a server sends that answers two questions, pings, and says good-bye."""
    server = H2Connection(H2Configuration(client_side=False))
    client = H2Connection(H2Configuration(client_side=True))
    server.initiate_connection()
    client.initiate_connection()
    for stream in (1, 3):
        client.send_headers(stream, [(":method", "POST"), (":path", "/"), (":scheme", "https"),
                                     (":authority", "x")], end_stream=True)  # fmt: skip
    server.receive_data(client.data_to_send())
    for stream in (1, 3):
        server.send_headers(stream, [(":status", "200"), TYPE, ("server", "some" * 9)])
        server.send_data(stream, bytes(30), end_stream=True)
        server.ping(b"12345678")
    server.close_connection(ErrorCodes.NO_ERROR)
    sent: bytes = server.data_to_send()
    return sent


def test_whatever_comes_nothing_is_raised() -> None:
    good, chance = transcript(), random.Random(6)
    ended = 0
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randrange(12)]
                case _:
                    data[at:at] = chance.randbytes(chance.randrange(12))
        speech, _ = asked(ALICE, "bob.example.org")
        middle = chance.randrange(len(data) + 1)
        outcomes = [*speech.receive(bytes(data[:middle]))]
        if not any(isinstance(one, Ended) for one in outcomes):
            outcomes += speech.receive(bytes(data[middle:]))
        speech.to_send()
        for one in tuple(speech.asks):
            speech.forget(one)
        ended += any(isinstance(one, Ended) for one in outcomes)
    assert 150 < ended < 1500


def test_an_undamaged_transcript_answers_everything() -> None:
    speech, (alice, bob) = asked(ALICE, "bob.example.org")
    outcomes = [one for octet in transcript() for one in speech.receive(bytes((octet,)))]
    assert outcomes == [Answered(alice, bytes(30)), Answered(bob, bytes(30))]
    assert speech.closing


@pytest.mark.parametrize("how", ["pings", "headers without end", "unknown frames"])
def test_a_flood_over_a_real_connection_is_no_answer(authority: Authority, how: str) -> None:
    first, again = FLOODS[how]

    def flood(stream: Http2Stream, wire: bytes) -> None:
        stream.raw(first, again * 3000)

    with front({ALICE: BOTH}, authority, reaction=flood) as (shown, _):
        said = reason(ask(settings(shown.nameserver, attempts=1)))
        assert said == f"{shown} does not keep to HTTP/2"
