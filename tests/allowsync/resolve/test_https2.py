"""DNS over HTTP/2 against a real HTTPS server: one connection, and what a server may do to it."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.answers import Found, Unavailable
from allowsync.model import BOTH_FAMILIES, Family, Query
from allowsync.resolve import Resolver
from allowsync.resolve.speech import CONNECTIONS
from allowsync.testing.behaviours import (
    Delay,
)
from allowsync.testing.https import HTTP1, HTTP2, MEDIA_TYPE, PATH, HttpsFront, Reaction, answer
from allowsync.testing.nameserver import NameServer
from tests.allowsync.resolve.asking import ALICE, BOTH, IPV4, ask, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.testing.tls import Authority

HERE = Found((ip_address(IPV4),), 60)
HOME = "127.0.0.1"
MANY = [Query(f"host{i}.example.org", family) for i in range(50) for family in BOTH_FAMILIES]


@contextmanager
def front(
    zones: dict[str, object],
    authority: Authority,
    *names: str,
    reaction: Reaction = answer,
    protocols: tuple[str, ...] = HTTP2 + HTTP1,
    asks: dict[int, int] | None = None,
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


def test_many_questions_share_one_connection(authority: Authority) -> None:
    queries = [Query(f"host{i}.example.org", Family.IPV4) for i in range(350)]
    with front({"*": BOTH}, authority) as (shown, server):
        answers = Resolver(settings(shown.nameserver)).resolve(queries)
        assert set(answers.values()) == {HERE}
        assert shown.connections == ["h2"]
        assert len(server.asked) == 350


def test_answers_may_come_in_any_order(authority: Authority) -> None:
    zones: dict[str, object] = {
        f"host{i}.example.org": Delay((19 - i) * 0.02, [f"203.0.113.{i}"]) for i in range(20)
    }
    queries = [Query(name, Family.IPV4) for name in zones]
    with front(zones, authority) as (shown, _):
        answers = Resolver(settings(shown.nameserver, attempts=1)).resolve(queries)
        assert shown.connections == ["h2"]
    for number, query in enumerate(queries):
        assert answers[query] == Found((ip_address(f"203.0.113.{number}"),), 60)
