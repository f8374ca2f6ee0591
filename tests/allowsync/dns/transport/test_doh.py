"""DNS over HTTP/1.1 against a real HTTPS server: who is believed, and what is made of HTTP."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.dns.client import Resolver
from allowsync.dns.nameservers import family_of
from allowsync.dns.transport.bootstrap import in_turn
from allowsync.dns.transport.doh import CONNECTIONS
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.nameserver import Nameserver, Transport
from allowsync.model.types import BOTH_FAMILIES, Family, Query
from testkit.fake_dns.behaviours import SERVFAIL, ByType, Drop, InTurn, Silent
from testkit.fake_dns.forgeries import (
    AlwaysTruncated,
    Garbage,
    HangUp,
    TrailingBytes,
    WrongId,
    WrongQuestion,
)
from testkit.fake_dns.https import HTTP1, MEDIA_TYPE, PATH, DohHandler, HttpsFront, Reaction, answer
from testkit.fake_dns.nameserver import NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, ask, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testkit.fake_dns.exchanges import DnsRequest
    from testkit.fake_dns.tls import Authority

HERE = Found((ip_address(IPV4),), 60)
HOME = "127.0.0.1"
MANY = [Query(f"host{i}.example.org", family) for i in range(50) for family in BOTH_FAMILIES]


@contextmanager
def front(
    zones: dict[str, object],
    authority: Authority,
    *names: str,
    host: str = HOME,
    days: tuple[int, int] = (-1, 1),
    reaction: Reaction = answer,
) -> Iterator[tuple[HttpsFront, NameServer]]:
    """A name server over HTTPS; afterwards it is certain that nothing was asked in clear text."""
    context = authority.serves(*(names or (HOME,)), days=days)
    with (
        NameServer(zones) as server,
        HttpsFront(server, context, host, reaction, protocols=HTTP1) as shown,
    ):
        yield shown, server
    assert {one.transport for one in server.asked} <= {"tcp"}
    assert len(server.asked) <= len(shown.asked)


def reason(answer: object) -> str:
    assert isinstance(answer, Unavailable), answer
    return answer.reason


def test_a_question_is_posted_as_the_standard_says(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority) as (shown, server):
        assert ask(settings(shown.nameserver)) == HERE
        ((path, headers),) = shown.asked
    assert path == PATH
    assert {name.lower(): value for name, value in headers.items()} == {
        "host": f"{HOME}:{shown.port}",
        "accept": MEDIA_TYPE,
        "content-type": MEDIA_TYPE,
        "content-length": str(len(server.requests[0].wire)),
    }


def test_what_the_environment_says_about_http_has_no_effect(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with front({ALICE: BOTH}, authority) as (shown, _):
        assert ask(settings(shown.nameserver)) == HERE


def test_a_path_with_a_question_mark_is_asked_for_as_it_is_written(authority: Authority) -> None:
    with front({ALICE: BOTH}, authority) as (shown, _):
        url = f"https://{HOME}:{shown.port}/é/q?token=a%20b"
        assert ask(settings(Nameserver("", shown.port, Transport.HTTPS, url=url))) == HERE
        assert shown.asked[0][0] == "/%C3%A9/q?token=a%20b"


def test_a_host_is_found_by_the_systems_resolver_and_has_to_show_its_certificate(
    authority: Authority,
) -> None:
    with front({ALICE: BOTH}, authority, "localhost", host="localhost") as (shown, _):
        assert ask(settings(shown.nameserver)) == HERE
    with front({ALICE: BOTH}, authority, HOME, host="localhost") as (shown, server):
        assert "is not good for localhost" in reason(ask(settings(shown.nameserver)))
        assert server.asked == []


def test_a_host_the_system_does_not_know_is_named(authority: Authority) -> None:
    nobody = Nameserver("", 443, Transport.HTTPS, url="https://nobody.invalid/dns-query")
    # Where the system's resolver does not answer either, the deadline ends it.
    said = reason(ask(settings(nobody, timeout=0.4, attempts=1)))
    assert said.startswith(f"cannot reach {nobody}: no address for nobody.invalid")


NOBODY = {
    "another address": (("127.0.0.2",), (-1, 1), f"is not good for {HOME}"),
    "a name in place of an address": (("localhost",), (-1, 1), f"is not good for {HOME}"),
    "expired": ((HOME,), (-3, -2), "has expired"),
    "not yet valid": ((HOME,), (2, 3), "is not valid yet"),
}


@pytest.mark.parametrize(("names", "days", "why"), NOBODY.values(), ids=NOBODY)
def test_whoever_cannot_prove_who_he_is_is_asked_nothing(
    authority: Authority, names: tuple[str, ...], days: tuple[int, int], why: str
) -> None:
    with front({"*": BOTH}, authority, *names, days=days) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        assert {why in reason(one) for one in answers.values()} == {True}, answers
        assert (server.asked, shown.asked) == ([], [])


def test_a_plain_nameserver_on_that_port_is_asked_nothing(authority: Authority) -> None:
    with NameServer({ALICE: BOTH}) as server:
        url = f"https://{HOME}:{server.port}{PATH}"
        beside = Nameserver("", server.port, Transport.HTTPS, url=url)
        said = reason(ask(settings(beside, timeout=0.3, attempts=1)))
        assert said == f"no TLS connection with {beside} in 0.3 s"
        assert server.asked == []


def test_many_questions_share_a_few_connections(authority: Authority) -> None:
    peers: set[object] = set()

    def note(handler: DohHandler, wire: bytes) -> None:
        peers.add(handler.client_address)
        answer(handler, wire)

    with front({"*": BOTH}, authority, reaction=note) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(MANY)
        assert all(isinstance(one, Found) for one in answers.values())
        assert len(server.asked) == 100
    assert len(peers) <= CONNECTIONS


def test_one_family_failing_leaves_the_other_alone(authority: Authority) -> None:
    with front({ALICE: ByType(BOTH, SERVFAIL)}, authority) as (shown, _):
        using = settings(shown.nameserver, attempts=1)
        assert ask(using, ALICE, Family.IPV4) == HERE
        assert ask(using, ALICE, Family.IPV6) == Unavailable("SERVFAIL")


def test_a_failed_question_is_asked_again(authority: Authority) -> None:
    with front({ALICE: InTurn((SERVFAIL, HangUp(), BOTH))}, authority) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=6)) == HERE


def renamed(request: DnsRequest) -> list[bytes]:
    """A plain answer to whoever else has a name of that length."""
    return [one.wire.replace(b"alice", b"clara") for one in request.answer(BOTH)]


WRONG = {
    "another id": (WrongId(BOTH), "not to the question asked"),
    "another question": (WrongQuestion(BOTH), "not to the question asked"),
    "another name of that length": (renamed, "not to the question asked"),
    "garbage": (Garbage(), "malformed answer"),
    "trailing bytes": (TrailingBytes(BOTH), "malformed answer: trailing bytes"),
    "truncated": (AlwaysTruncated(), "truncated over TCP"),
    "no answer": (HangUp(), "closed the connection before the answer came"),
}


@pytest.mark.parametrize(("value", "why"), WRONG.values(), ids=WRONG)
def test_an_answer_over_https_is_looked_at_like_any_other(
    authority: Authority, value: object, why: str
) -> None:
    with front({ALICE: value, "bob.example.org": []}, authority) as (shown, _):
        assert why in reason(ask(settings(shown.nameserver, attempts=2)))
        assert ask(settings(shown.nameserver), "bob.example.org") == Absent("NODATA")


def reply(body: bytes = b"", kind: str = MEDIA_TYPE, status: int = 200) -> Reaction:
    return lambda handler, _wire: handler.reply(body, kind, status)


def redirect(handler: DohHandler, _wire: bytes) -> None:
    handler.send_response(307)
    handler.send_header("Location", f"{handler.front.url}-elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def raw(*parts: bytes, pause: float = 0.0) -> Reaction:
    def send(handler: DohHandler, _wire: bytes) -> None:
        for part in parts:
            handler.wfile.write(part)
            handler.wfile.flush()
            time.sleep(pause)
        handler.close_connection = True

    return send


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n"

REFUSED = {
    "not found": (reply(status=404), "answered with HTTP status 404"),
    "unavailable": (reply(status=503), "answered with HTTP status 503"),
    "an answer with an error": (reply(b"x" * 40, status=500), "answered with HTTP status 500"),
    "no content": (reply(status=204), "answered with HTTP status 204"),
    "redirected": (redirect, "redirects elsewhere, which is not followed"),
    "a page": (reply(b"<html>", "text/html"), "did not answer with a DNS message"),
    "JSON": (reply(b"{}", "application/dns-json"), "did not answer with a DNS message"),
    "no type": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), "not answer with a DNS"),
    "nothing": (reply(), "not to the question asked"),
    "too much": (reply(bytes(65536)), "sent more than a DNS message can hold"),
    "a length without end": (
        raw(HEAD + b"Content-Length: 99999999999\r\n\r\n", bytes(70000)),
        "sent more than a DNS message can hold",
    ),
    "endless headers": (raw(HEAD + b"X: y\r\n" * 20000), "does not speak HTTP/1.1"),
    "no HTTP": (raw(b"220 mail.example.net\r\n\r\n"), "does not speak HTTP/1.1"),
    "two lengths": (
        raw(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        "does not speak HTTP/1.1",
    ),
    "half a head": (raw(HEAD), "closed the connection before the answer came"),
    "half a body": (
        raw(HEAD + b"Content-Length: 50\r\n\r\n", b"half"),
        "closed the connection before the answer came",
    ),
    "hung up": (raw(), "closed the connection before the answer came"),
}  # fmt: skip


@pytest.mark.parametrize(("reaction", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_answer_says_why(authority: Authority, reaction: Reaction, why: str) -> None:
    with front({ALICE: BOTH}, authority, reaction=reaction) as (shown, server):
        assert why in reason(ask(settings(shown.nameserver, attempts=2)))
        assert {path for path, _ in shown.asked} == {PATH}
        assert server.asked == []


def test_an_answer_without_a_length_has_to_be_in_whole_chunks(authority: Authority) -> None:
    def chunked(handler: DohHandler, wire: bytes) -> None:
        pieces = b"".join(b"1\r\n%c\r\n" % octet for octet in wire[:2] + b"\x81\x82" + wire[4:])
        handler.wfile.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")

    with front({ALICE: BOTH}, authority, reaction=chunked) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=1)) == Unavailable("SERVFAIL")


def test_an_interim_response_is_passed_over(authority: Authority) -> None:
    def early(handler: DohHandler, wire: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3)
        answer(handler, wire)

    with front({ALICE: BOTH}, authority, reaction=early) as (shown, _):
        assert ask(settings(shown.nameserver, attempts=1)) == HERE


def test_a_server_that_closes_after_each_answer_answers_everything(authority: Authority) -> None:
    def once(handler: DohHandler, wire: bytes) -> None:
        answer(handler, wire)
        handler.close_connection = True  # without having said so

    with front({"*": BOTH}, authority, reaction=once) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(MANY[:30])
        assert all(isinstance(one, Found) for one in answers.values()), answers


def test_a_server_that_says_that_it_closes_answers_everything(authority: Authority) -> None:
    def last(handler: DohHandler, wire: bytes) -> None:
        handler.send_response_only(100)
        handler.end_headers()
        body = wire[:2] + b"\x81\x82" + wire[4:]
        head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        handler.wfile.write(head + body)
        handler.close_connection = True

    with front({"*": BOTH}, authority, reaction=last) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(MANY[:30])
        assert set(answers.values()) == {Unavailable("SERVFAIL")}


def test_an_answer_may_come_byte_by_byte_but_not_for_ever(authority: Authority) -> None:
    slow = raw(*(bytes((octet,)) for octet in HEAD * 2), pause=0.02)
    with front({ALICE: BOTH}, authority, reaction=slow) as (shown, _):
        said = reason(ask(settings(shown.nameserver, attempts=1, timeout=1.0)))
        assert said == f"no answer over HTTPS from {shown} in 1 s"
        ended = settings(shown.nameserver, deadline=0.2)
        assert reason(ask(ended)) == "no answer before the deadline of 0.2 s"


def test_a_question_that_hangs_keeps_no_other_waiting(authority: Authority) -> None:
    zones: dict[str, object] = {"*": BOTH, "host0.example.org": Silent()}
    with front(zones, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver, attempts=1, timeout=4.0)).resolve(MANY[:40])
        assert sum(isinstance(one, Found) for one in answers.values()) == 38
        server.zones.clear()


def test_questions_that_are_given_up_make_room_for_others(authority: Authority) -> None:
    mute: dict[str, object] = {f"mute{i}.example.org": Silent() for i in range(CONNECTIONS)}
    queries = [Query(name, Family.IPV4) for name in mute]
    queries += [Query(f"host{i}.example.org", Family.IPV4) for i in range(5)]
    with front({"*": BOTH, **mute}, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver, attempts=1, timeout=3.0)).resolve(queries)
        assert [answer == HERE for answer in answers.values()] == [False] * CONNECTIONS + [True] * 5
        server.zones.clear()


def test_nameservers_of_every_transport_may_be_mixed(authority: Authority) -> None:
    there = Found((ip_address("198.51.100.1"),), 60)
    with (
        NameServer({ALICE: ["198.51.100.1"]}) as plain,
        front({ALICE: BOTH}, authority) as (good, _),
        front({ALICE: BOTH}, authority, "127.0.0.2") as (bad, _),
    ):
        assert ask(settings(bad.nameserver, plain)) == there
        query = Query(ALICE, Family.IPV4)
        said = Resolver(settings(good.nameserver, plain)).survey([query])[query]
        assert said == {str(good): HERE, str(plain): there}


def test_an_address_that_cannot_be_reached_gives_way_to_the_next_one(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with front({ALICE: BOTH}, authority, "two.example", host="two.example") as (shown, _):
        addresses = ("127.0.0.9", "::1", HOME)
        found = [(family_of(one), 1, 6, "", (one, shown.port)) for one in addresses]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            "socket.getaddrinfo",
            lambda host, *more, **most: found if host in shown.url else real(host, *more, **most),
        )
        assert ask(settings(shown.nameserver, attempts=1)) == HERE


def test_families_take_turns() -> None:
    texts = ["2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3", "192.0.2.2"]
    assert in_turn(texts) == (
        "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3",
    )  # fmt: skip


def test_a_lost_question_is_not_asked_twice_over_one_connection(authority: Authority) -> None:
    with front({ALICE: Drop(1, BOTH)}, authority) as (shown, server):
        said = reason(ask(settings(shown.nameserver, timeout=2.0)))
        assert said == f"no answer over HTTPS from {shown} in 2 s"
        assert len(server.asked) == 1
        server.zones.clear()
