"""A request as it goes over the wire, and what counts as an answer."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from allowsync.notify.http_ping import composed, deliver
from testkit.fake_dns.tls import Authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """Takes one connection and answers it with bytes. `asked` is what came, `place` where it is."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        self._answer, self._context = answer, context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked = b""

    def serve(self) -> None:
        with self._socket, suppress(OSError), ExitStack() as stack:
            connection = stack.enter_context(self._socket.accept()[0])
            if self._context is not None:
                wrapped = self._context.wrap_socket(connection, server_side=True)
                connection = stack.enter_context(wrapped)
            while not self._is_whole():
                self.asked += connection.recv(65536)
            connection.sendall(self._answer)

    def _is_whole(self) -> bool:
        head, end, body = self.asked.partition(b"\r\n\r\n")
        _, _, size = head.lower().partition(b"content-length: ")
        return bool(end) and len(body) >= int(size.split(b"\r\n")[0] or 0)


@contextmanager
def serving(answer: bytes = GOOD, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(answer, context)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    thread.join(20)
    assert not thread.is_alive()


def test_a_request_says_where_it_goes_and_what_it_brings() -> None:
    with serving() as server:
        assert deliver("POST", f"http://{server.place}/ping/1/0?a=b", b"all well") == ""
    head, _, body = server.asked.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[:2] == ["POST /ping/1/0?a=b HTTP/1.1", f"Host: {server.place}"]
    assert {"Connection: close", "Content-Length: 8"} <= set(lines)
    assert body == b"all well"


@pytest.mark.parametrize(("method", "sized"), [("GET", False), ("POST", True)])
def test_without_a_body_a_post_says_so(method: str, sized: bool) -> None:
    with serving() as server:
        assert deliver(method, f"http://{server.place}", b"") == ""
    assert server.asked.startswith(f"{method} / HTTP/1.1\r\n".encode())
    assert (b"Content-Length: 0" in server.asked) is sized


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 299\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + GOOD, ""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10 + GOOD, "no proper answer"),
        (b"HTTP/1.1 199 \r\n\r\n", "no proper answer"),
        (b"HTTP/1.1 300 \r\n\r\n", "the answer was HTTP status 300"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "the answer was HTTP status 404"),
        (b"HTTP/2 200\r\n", "no proper answer"),
        (b"HTTP/1.1 20\r\n", "no proper answer"),
        (b"HTTP/1.1 2x0 OK\r\n", "no proper answer"),
        (b"", "no proper answer"),
    ],
)
def test_the_status_of_the_final_answer_counts(answer: bytes, why: str) -> None:
    with serving(answer) as server:
        assert deliver("GET", f"http://{server.place}/", b"") == why


def test_nobody_who_cannot_prove_who_they_are_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for context, good in (
        (authority.serves("127.0.0.1"), True),
        (authority.serves("elsewhere.example"), False),
    ):
        with authority.trusted(), serving(GOOD, context) as server:
            why = deliver("GET", f"https://{server.place}/secret", b"")
        assert (why == "", b"secret" in server.asked) == (good, good)
    with serving(GOOD, authority.serves("127.0.0.1")) as server:
        assert deliver("GET", f"https://{server.place}/secret", b"") != "", "nobody trusts it"
    assert server.asked == b""


@pytest.mark.parametrize(
    "url",
    ["http:///x", "http://127.0.0.1:9/\r\nX: y", "http://127.0.0.1:9/a b", "http://127.0.0.1:9/é"],
)
def test_what_would_be_more_than_one_request_is_none(url: str) -> None:
    assert deliver("GET", url, b"").startswith("it cannot be asked")


def test_what_stands_behind_a_hash_is_never_sent() -> None:
    assert composed("https://example.net/x#mine", "plain", 0, 0.0, "") == (
        *("GET", "https://example.net/x", b""),
    )
