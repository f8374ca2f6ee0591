"""The pool of sockets by itself, and what becomes of a nameserver without TCP."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from selectors import DefaultSelector
from typing import TYPE_CHECKING

import pytest

from allowsync.dns.query_state import Ask, Inquiry, Server
from allowsync.dns.transport.udp import POOL, QUESTIONS_PER_SOCKET, DatagramChannel
from allowsync.dns.wire_query import question
from allowsync.model.answer import Unavailable
from allowsync.model.nameserver import Nameserver
from allowsync.model.types import Family, Query
from tests.allowsync.dns.asking import ALICE, ask, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.dns.failure import Failure


QUERY = Query(ALICE, Family.IPV4)


class Told:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.wires: list[bytes] = []
        self.failures: list[Failure] = []

    def heard(self, _ask: Ask, wire: bytes) -> None:
        self.wires.append(wire)

    heard_over_stream = heard

    def noticed(self, _ask: Ask, failure: Failure) -> None:
        self.failures.append(failure)

    failed = noticed


class Pool:
    """A channel to a socket of our own."""

    def __init__(self, sink: socket.socket) -> None:
        nameserver = Nameserver("127.0.0.1", sink.getsockname()[1])
        self.sink = sink
        self.told = Told()
        self.selector = DefaultSelector()
        self.channel = DatagramChannel(nameserver, self.selector, self.told, validate=False)
        self.server = Server(nameserver, 0, self.channel)

    def ask(self) -> Ask:
        return Ask(Inquiry(QUERY, question(QUERY), (self.server,)), self.server, live=True)

    def arrives(self, ask: Ask) -> tuple[bytes, tuple[str, int]]:
        self.channel.send(ask)
        return self.sink.recvfrom(512)

    def deliver(self, wire: bytes, to: tuple[str, int]) -> None:
        self.sink.sendto(wire, to)
        for key, mask in self.selector.select(60):
            key.data(mask)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(60)
        made = Pool(sink)
        yield made
        made.channel.close()
        made.selector.close()


def answer_to(wire: bytes) -> bytes:
    return wire[:2] + b"\x81\x80" + wire[4:]


def test_a_socket_is_retired_when_it_has_carried_enough(pool: Pool) -> None:
    carried: Counter[object] = Counter()  # by socket: its port may be that of a later one
    for _ in range(POOL * QUESTIONS_PER_SOCKET + POOL):
        asked = pool.ask()
        pool.arrives(asked)
        carried[pool.channel._by_ask[asked]] += 1
        pool.channel.forget(asked)
    assert max(carried.values()) <= QUESTIONS_PER_SOCKET
    assert len(carried) > POOL
    pool.arrives(pool.ask())  # a socket that was retired by the last question is replaced
    assert len(pool.selector.get_map()) == POOL


def test_a_retired_socket_still_listens_for_its_last_question(pool: Pool) -> None:
    asked = [pool.ask() for _ in range(POOL * QUESTIONS_PER_SOCKET)]
    arrived = [pool.arrives(one) for one in asked]
    for wire, peer in arrived[:50]:
        pool.deliver(answer_to(wire), peer)
    assert len(pool.told.wires) == 50


def test_a_forgotten_question_has_no_answer_any_more(pool: Pool) -> None:
    asked, kept = pool.ask(), pool.ask()
    wire, peer = pool.arrives(asked)
    pool.arrives(kept)
    pool.channel.forget(asked)
    pool.deliver(answer_to(wire), peer)
    assert not pool.told.wires
    assert not pool.told.failures


def test_an_answer_to_another_question_is_noticed_and_not_heard(pool: Pool) -> None:
    wire, peer = pool.arrives(pool.ask())
    pool.deliver(answer_to(wire)[:-1] + b"\x03", peer)
    assert not pool.told.wires
    assert len(pool.told.failures) == 1


def test_a_nameserver_without_tcp_cannot_finish_a_truncated_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        nameserver = Nameserver("127.0.0.1", server.getsockname()[1])

        def answer_once() -> None:
            wire, peer = server.recvfrom(512)
            server.sendto(wire[:2] + b"\x83\x80" + wire[4:], peer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        outcome = ask(settings(nameserver, attempts=1))
        thread.join()
    assert outcome == Unavailable(f"connection refused by {nameserver} over TCP")
