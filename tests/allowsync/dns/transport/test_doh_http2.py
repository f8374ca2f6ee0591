"""DNS over HTTP/2 against a real HTTPS server, and what a server may do to a connection."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from allowsync.dns.client import Resolver
from allowsync.dns.transport.doh import CONNECTIONS
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.types import BOTH_FAMILIES, Family, Query
from testkit.fake_dns.behaviours import SERVFAIL, Addresses, ByType, Delay, Silent
from testkit.fake_dns.forgeries import (
    AlwaysTruncated,
    Garbage,
    TrailingBytes,
    WrongId,
    WrongQuestion,
)
from testkit.fake_dns.https import HTTP1, HTTP2, MEDIA_TYPE, PATH, HttpsFront, Reaction, answer
from testkit.fake_dns.nameserver import NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, ask, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testkit.fake_dns.http2 import Http2Stream
    from testkit.fake_dns.tls import Authority

HERE = Found((ip_address(IPV4),), 60)
HOME = "127.0.0.1"
BOB = "bob.example.org"
MANY = [Query(f"host{i}.example.org", family) for i in range(50) for family in BOTH_FAMILIES]
TWENTY = [Query(f"host{i}.example.org", Family.IPV4) for i in range(20)]


@contextmanager
def front(
    zones: dict[str, object],
    authority: Authority,
    *names: str,
    reaction: Reaction = answer,
    protocols: tuple[str, ...] = HTTP2 + HTTP1,
    asks: Mapping[int, int] | None = None,
) -> Iterator[tuple[HttpsFront, NameServer]]:
    """A name server over HTTP/2; afterwards it is certain that all was asked by the rules."""
    context = authority.serves(*(names or (HOME,)))
    with (
        NameServer(zones) as server,
        HttpsFront(server, context, reaction=reaction, protocols=protocols, settings=asks) as shown,
    ):
        yield shown, server
    assert shown.complaints == []
    assert {one.transport for one in server.asked} <= {"tcp"}
    assert len(server.asked) <= len(shown.asked)


def reason(answer: object) -> str:
    assert isinstance(answer, Unavailable), answer
    return answer.reason


def name_in(wire: bytes) -> bytes:
    """The first label of the question."""
    return wire[13 : 13 + wire[12]]


def test_a_question_is_posted_as_the_standard_says(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority) as (shown, server):
        assert ask(settings(shown.nameserver)) == HERE
        ((path, headers),) = shown.asked
        assert shown.connections == ["h2"]
    assert path == PATH
    assert headers == {
        ":method": "POST",
        ":scheme": "https",
        ":authority": f"{HOME}:{shown.port}",
        ":path": PATH,
        "accept": MEDIA_TYPE,
        "content-type": MEDIA_TYPE,
        "content-length": str(len(server.requests[0].wire)),
    }


def test_a_server_that_speaks_http_2_alone_is_asked(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority, protocols=HTTP2) as (shown, _):
        assert ask(settings(shown.nameserver)) == HERE


@pytest.mark.parametrize("protocols", [HTTP1, ()])
def test_a_server_that_agrees_on_nothing_newer_is_asked_over_http_1_1(
    authority: Authority, protocols: tuple[str, ...]
) -> None:
    with front({"*": BOTH}, authority, protocols=protocols) as (shown, _):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        assert all(isinstance(one, Found) for one in answers.values())
        assert 1 < len(shown.connections) <= CONNECTIONS
        assert {*shown.connections} == set(protocols or [None])


def test_many_questions_share_a_few_connections(authority: Authority) -> None:
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(350)]
    with front({"*": BOTH}, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(queries)
        assert set(answers.values()) == {HERE}
        assert 1 <= len(shown.connections) <= CONNECTIONS
        assert {*shown.connections} == {"h2"}
        assert len(server.asked) == 350


def test_as_many_questions_as_there_are_connections_are_under_way_at_once(
    authority: Authority,
) -> None:
    together = threading.Barrier(CONNECTIONS, timeout=60)

    def patient(stream: Http2Stream, wire: bytes) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait()
            answer(stream, wire)

    with front({"*": BOTH}, authority, reaction=patient) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1, timeout=60.0)).resolve(
            TWENTY[:16]
        )
        assert set(answers.values()) == {HERE}


def test_answers_may_come_in_any_order(authority: Authority) -> None:
    zones: dict[str, object] = {
        f"host{i}.example.org": Delay((19 - i) * 0.02, [f"203.0.113.{i}"]) for i in range(20)
    }
    with front(zones, authority) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(TWENTY)
        assert {*shown.connections} == {"h2"}
    for number, query in enumerate(TWENTY):
        assert answers[query] == Found((ip_address(f"203.0.113.{number}"),), 60)


@pytest.mark.parametrize("protocols", [HTTP1, HTTP2])
def test_whoever_cannot_prove_who_he_is_is_asked_nothing(
    authority: Authority, protocols: tuple[str, ...]
) -> None:
    with front({"*": BOTH}, authority, "127.0.0.2", protocols=protocols) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        assert {f"is not good for {HOME}" in reason(one) for one in answers.values()} == {True}
        assert (server.asked, shown.asked) == ([], [])


def test_one_family_failing_leaves_the_other_alone(authority: Authority) -> None:
    with front({ALICE: ByType(BOTH, SERVFAIL)}, authority) as (shown, _):
        using = settings(shown.nameserver, attempts=1)
        assert ask(using, ALICE, Family.IPV4) == HERE
        assert ask(using, ALICE, Family.IPV6) == Unavailable("SERVFAIL")


WRONG = {
    "another id": (WrongId(BOTH), "not to the question asked"),
    "another question": (WrongQuestion(BOTH), "not to the question asked"),
    "garbage": (Garbage(), "malformed answer"),
    "trailing bytes": (TrailingBytes(BOTH), "malformed answer: trailing bytes"),
    "truncated": (AlwaysTruncated(), "truncated over TCP"),
}


@pytest.mark.parametrize(("value", "why"), WRONG.values(), ids=WRONG)
def test_an_answer_over_http_2_is_looked_at_like_any_other(
    authority: Authority, value: object, why: str
) -> None:
    with front({ALICE: value, BOB: []}, authority) as (shown, _):
        assert why in reason(ask(settings(shown.nameserver, attempts=2)))
        assert ask(settings(shown.nameserver), BOB) == Absent("NODATA")


def reply(body: bytes = b"", kind: str = MEDIA_TYPE, status: int = 200) -> Reaction:
    return lambda stream, _wire: stream.reply(body, kind, status)


REFUSED = {
    "not found": (reply(status=404), "answered with HTTP status 404"),
    "unavailable": (reply(status=503), "answered with HTTP status 503"),
    "an answer with an error": (reply(b"x" * 40, status=500), "answered with HTTP status 500"),
    "a page": (reply(b"<html>", "text/html"), "did not answer with a DNS message"),
    "no type": (
        lambda stream, _wire: stream.send([(":status", "200")], b"x"),
        "did not answer with a DNS message",
    ),
    "nothing": (reply(), "not to the question asked"),
    "too much": (reply(bytes(65536)), "sent more than a DNS message can hold"),
    "much too much": (reply(bytes(1 << 22)), "sent more than a DNS message can hold"),
}


@pytest.mark.parametrize(("reaction", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_answer_says_why_and_costs_no_other_its_answer(
    authority: Authority, reaction: Reaction, why: str
) -> None:
    def some(stream: Http2Stream, wire: bytes) -> None:
        (reaction if name_in(wire) == b"host7" else answer)(stream, wire)

    with front({"*": BOTH}, authority, reaction=some) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=2)).resolve(TWENTY)
        assert {*shown.connections} == {"h2"}
    assert why in reason(answers.pop(TWENTY[7]))
    assert set(answers.values()) == {HERE}


def test_a_server_that_redirects_is_not_asked_again(authority: Authority) -> None:
    with front({"*": BOTH}, authority, reaction=reply(status=307)) as (shown, _):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        said = {reason(one) for one in answers.values()}
        assert said == {
            f"{shown} redirects elsewhere, which is not followed: configure the URL it moved to"
        }
        assert len(shown.asked) <= len(MANY)


@pytest.mark.parametrize("most", [1, 3, 50])
def test_no_more_is_asked_at_once_than_the_server_takes(authority: Authority, most: int) -> None:
    asks: dict[int, int] = {SettingCodes.MAX_CONCURRENT_STREAMS: most}
    with front({"*": BOTH}, authority, asks=asks) as (shown, server):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(MANY)
        assert all(isinstance(one, Found) for one in answers.values()), answers
        assert {*shown.connections} == {"h2"}
        assert len(server.asked) == len(MANY)  # what was refused had not been looked at


def test_a_server_that_takes_nothing_at_all_gives_no_answer(authority: Authority) -> None:
    asks: dict[int, int] = {SettingCodes.MAX_CONCURRENT_STREAMS: 0}
    with front({"*": BOTH}, authority, asks=asks) as (shown, _):
        using = settings(shown.nameserver, attempts=1, timeout=1.0, deadline=3.0)
        said = {reason(one) for one in Resolver(using).resolve(MANY).values()}
        refused = f"{shown} broke off its answer"
        assert all(one.startswith("no answer") or one == refused for one in said), said


def test_a_server_that_takes_a_question_in_small_pieces_gets_it_so(authority: Authority) -> None:
    asks: dict[int, int] = {SettingCodes.INITIAL_WINDOW_SIZE: 5}
    with front({"*": BOTH}, authority, asks=asks) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(TWENTY)
        assert set(answers.values()) == {HERE}


def test_more_than_a_window_of_answers_is_taken_in(authority: Authority) -> None:
    with front({"*": Addresses(500)}, authority) as (shown, _):
        using = settings(shown.nameserver, attempts=1, timeout=60.0)
        answers = Resolver(using).resolve(TWENTY[:12])
        assert {isinstance(one, Found) and len(one.addresses) for one in answers.values()} == {500}


def test_an_answer_may_come_after_headers_of_all_kinds(authority: Authority) -> None:
    def chatty(stream: Http2Stream, wire: bytes) -> None:
        stream.act(lambda http: http.send_headers(stream.number, [(":status", "103")]))
        stream.act(lambda http: http.ping(b"how fast"))
        stream.raw(b"\0\0\x03\xee\0\0\0\0\0abc")  # of a type nobody knows (RFC 9113 section 5.5)
        answer(stream, wire)

    with front({"*": BOTH}, authority, reaction=chatty) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(TWENTY)
        assert set(answers.values()) == {HERE}


class Once:
    """Does something to the first question for each name, and answers the next."""

    def __init__(self, reaction: Reaction) -> None:
        self.seen: Counter[bytes] = Counter()
        self._reaction = reaction

    def __call__(self, stream: Http2Stream, wire: bytes) -> None:
        self.seen[name_in(wire)] += 1
        (self._reaction if self.seen[name_in(wire)] == 1 else answer)(stream, wire)


HEAD = [(":status", "200"), ("content-type", MEDIA_TYPE)]
GOAWAY = b"\0\0\x08\x07\0\0\0\0\0"

CUT = {
    "broken off": lambda stream, _wire: stream.reset(),
    "broken off in the middle": lambda stream, _wire: (
        stream.act(lambda http: http.send_headers(stream.number, HEAD)),
        stream.act(lambda http: http.send_data(stream.number, b"half")),
        stream.reset(),
    ),
    "refused": lambda stream, _wire: stream.reset(ErrorCodes.REFUSED_STREAM),
    "sent away": lambda stream, _wire: stream.raw(GOAWAY + b"\x7f\xff\xff\xff\0\0\0\x0b"),
    "not taken on": lambda stream, _wire: stream.raw(GOAWAY + bytes(8)),
    "hung up": lambda stream, _wire: stream.hang_up(),
}


@pytest.mark.parametrize("reaction", CUT.values(), ids=CUT)
def test_a_question_that_was_cut_off_is_asked_once_again(
    authority: Authority, reaction: Reaction
) -> None:
    once = Once(reaction)
    with front({ALICE: BOTH}, authority, reaction=once) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=1)) == HERE
        assert once.seen == {b"alice": 2}


@pytest.mark.parametrize("how", ["broken off", "refused", "sent away", "hung up"])
def test_a_question_that_is_always_cut_off_has_no_answer(authority: Authority, how: str) -> None:
    with front({ALICE: BOTH}, authority, reaction=CUT[how]) as (shown, server):
        said = reason(ask(settings(shown.nameserver, attempts=2)))
        assert said.endswith(
            ("broke off its answer", "closed the connection before the answer came")
        )
        assert len(shown.asked) == 4  # two attempts, each of them twice
        assert server.asked == []


def test_after_an_orderly_farewell_what_was_taken_on_is_still_answered(
    authority: Authority,
) -> None:
    def farewell(stream: Http2Stream, wire: bytes) -> None:
        if name_in(wire).endswith(b"7"):
            stream.raw(GOAWAY + b"\x7f\xff\xff\xff\0\0\0\0")
        answer(stream, wire)

    once = Once(farewell)
    zones: dict[str, object] = {"*": BOTH, "host0.example.org": Delay(0.3, BOTH)}
    with front(zones, authority, reaction=once) as (shown, _):
        queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(130)]
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(queries)
        assert set(answers.values()) == {HERE}
        asked_twice = {name for name, times in once.seen.items() if times > 1}
        assert all(name.endswith(b"7") for name in asked_twice)
        assert max(once.seen.values()) <= 2
        assert len(shown.connections) > CONNECTIONS


def test_a_server_that_closes_after_each_answer_answers_everything(authority: Authority) -> None:
    def last(stream: Http2Stream, wire: bytes) -> None:
        answer(stream, wire)
        stream.hang_up()

    with front({"*": BOTH}, authority, reaction=last) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=2)).resolve(TWENTY[:10])
        assert set(answers.values()) == {HERE}


def test_a_server_that_always_hangs_up_is_not_asked_for_ever(authority: Authority) -> None:
    with front({"*": BOTH}, authority, reaction=CUT["hung up"]) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=2)).resolve(TWENTY)
        said = {reason(one) for one in answers.values()}
        assert said == {f"{shown} closed the connection before the answer came"}
        assert len(shown.asked) <= 4 * len(TWENTY)


def test_a_question_that_hangs_keeps_no_other_waiting(authority: Authority) -> None:
    zones: dict[str, object] = {"*": BOTH, "host0.example.org": Silent()}
    with front(zones, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver, attempts=1, timeout=4.0)).resolve(MANY)
        assert sum(isinstance(one, Found) for one in answers.values()) == 98
        given_up = len(answers) - 98  # each makes room for one new connection
        assert len(shown.connections) <= CONNECTIONS + given_up
        server.zones.clear()


def test_questions_that_are_given_up_make_room_for_others(authority: Authority) -> None:
    mute: dict[str, object] = {f"mute{i}.example.org": Silent() for i in range(2 * CONNECTIONS)}
    queries = [Query(name, Family.IPV4) for name in mute]
    with front({"*": BOTH, **mute}, authority) as (shown, server):
        using = settings(shown.nameserver, attempts=1, timeout=2.0)
        answers = Resolver(using).resolve(queries + TWENTY)
        assert [answers[query] for query in TWENTY].count(HERE) == len(TWENTY)
        assert len(shown.connections) <= 3 * CONNECTIONS
        server.zones.clear()
