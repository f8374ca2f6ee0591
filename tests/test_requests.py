"""What asks web servers during applies sees every answer that it should not get."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.requests import NONE, Knocking, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

PORT = 80
FRIENDS = {f"::ffff:{FRIEND}", FRIEND6}


class Serving(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def serving(inside: Namespace, answer: Callable[[str, int], int]) -> Iterator[None]:
    """A server that answers an address's nth request; 0: hangs up instead; -200: and after it."""
    asked: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            source = self.client_address[0]
            asked[source] = asked.get(source, 0) + 1
            code = answer(source, asked[source])
            if code:
                self.send_response(abs(code))
                self.send_header("Content-Length", "0")
                self.end_headers()
            self.close_connection = self.close_connection or code <= 0

        def log_message(self, *_: object) -> None:
            pass

    server = inside.run(Serving, ("::", PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


def good(source: str, _: int) -> int:
    return 200 if source in FRIENDS else 403


def test_a_friend_is_answered_and_a_stranger_refused(inside: Namespace) -> None:
    with serving(inside, good), Knocking(inside, PORT) as knocking:
        first = knocking.more(5)
        second = knocking.more(5)
    assert first.least >= 5
    assert second.since(first).least >= 5
    assert (second.failed, second.let_in, second.renewed) == (0, 0, 0)
    assert second.refusals == {403: second.stranger}


@pytest.mark.parametrize("wrong", [403, 502, 0])
def test_one_wrong_answer_to_a_friend_is_seen(inside: Namespace, wrong: int) -> None:
    def answer(source: str, number: int) -> int:
        # Twice, because somebody whose connection is closed asks once more.
        return wrong if source == FRIEND6 and number in (8, 9) else good(source, number)

    with serving(inside, answer), Knocking(inside, PORT) as knocking:
        found = knocking.more(20)
    assert 1 <= found.failed <= 2
    assert found.let_in == 0


def test_a_stranger_who_is_let_in_once_is_seen(inside: Namespace) -> None:
    def answer(source: str, number: int) -> int:
        return 200 if source == STRANGER6 and number == 8 else good(source, number)

    with serving(inside, answer), Knocking(inside, PORT) as knocking:
        found = knocking.more(20)
    assert (found.failed, found.let_in) == (0, 1)


def test_a_connection_closed_between_two_requests_is_no_failure(inside: Namespace) -> None:
    with serving(inside, lambda *asked: -good(*asked)), Knocking(inside, PORT) as knocking:
        found = knocking.more(20)
    assert (found.failed, found.let_in) == (0, 0)
    assert found.renewed > 0


def test_one_request_tells_its_status(inside: Namespace) -> None:
    with serving(inside, good):
        seen = [status(inside, one, PORT) for one in (FRIEND, FRIEND6, STRANGER, STRANGER6)]
    assert seen == [200, 200, 403, 403]
    assert status(inside, FRIEND, PORT) == NONE
