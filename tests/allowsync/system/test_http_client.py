"""The one client of HTTP, against servers that do as they like."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import zlib
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

import pytest

from allowsync.system.http_client import (
    HttpClient,
    HttpRequest,
    NoResponse,
    NotSent,
    Response,
    TooLarge,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def server(*parts: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """One that sends these octets to whoever asks, a moment apart, and what it was asked."""
    over, asked = threading.Event(), list[bytes]()

    def serve(door: socket.socket) -> None:
        while not over.is_set():
            with suppress(OSError), door.accept()[0] as client:
                asked.append(_request(client))
                for part in parts:
                    client.sendall(part)
                    over.wait(0.02)

    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.1)
        thread = threading.Thread(target=serve, args=(door,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}", asked
        finally:
            over.set()
            thread.join()


def _request(client: socket.socket) -> bytes:
    """All of a request, its body included."""
    got = client.recv(65536)
    length = re.search(rb"Content-Length: (\d+)", got)
    end = got.find(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(got) < end and (more := client.recv(65536)):
        got += more
    return got


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(None, LARGEST)
    yield made
    made.close()


def test_a_response_is_whole(client: HttpClient) -> None:
    with server(OK + b"ETag: x\r\nContent-Length: 4\r\n\r\n", b"he", b"re") as (url, asked):
        said = client.ask(HttpRequest("PUT", url, {"X-One": "1"}, b"body", {"a": "b c"}), 5)
    assert (said.status, said.headers["etag"], said.body) == (200, "x", b"here")
    assert asked[0].startswith(b"PUT /?a=b+c HTTP/1.1\r\n")
    assert b"X-One: 1\r\n" in asked[0]
    assert asked[0].endswith(b"\r\n\r\nbody")


def test_no_proxy_and_no_password_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with (
        server(OK + b"Content-Length: 0\r\n\r\n") as (url, asked),
        closing(HttpClient(None, LARGEST)) as client,
    ):
        assert client.ask(HttpRequest("GET", url), 5).status == 200
    assert b"Authorization" not in asked[0]


def test_a_redirect_is_a_response_like_any_other(client: HttpClient) -> None:
    with server(b"HTTP/1.1 307 x\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n") as (url, asked):
        assert client.ask(HttpRequest("GET", url), 5).status == 307
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((b"",), "the connection broke"),
        ((OK + b"Content-Length: 9\r\n\r\nhalf",), "the connection broke"),
        ((b"no HTTP at all\r\n\r\n",), "the connection broke"),
        ((OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",), "DecodingError"),
        ((OK + b"Content-Length: 99\r\n\r\n", *[b"x"] * 99), "it was not received in time"),
    ],
)
def test_what_is_no_whole_response_may_have_been_carried_out(
    client: HttpClient, parts: tuple[bytes, ...], why: str
) -> None:
    with server(*parts) as (url, _), pytest.raises(NoResponse, match=why):
        client.ask(HttpRequest("GET", url), 0.5)


GATHERED = zlib.compressobj(wbits=31)
NOTHING = GATHERED.compress(b"") + GATHERED.flush(zlib.Z_SYNC_FLUSH)  # gzip, and no octet of it
EMPTY_BLOCK = GATHERED.flush(zlib.Z_FULL_FLUSH)


@pytest.mark.parametrize(
    ("head", "more"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99),
        (OK, b"X: y\r\n"),
        (OK + b"X: ", b"y"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + NOTHING, EMPTY_BLOCK),
    ],
    ids=["hints", "continue", "headers", "header", "chunk extension", "trailers", "empty gzip"],
)
def test_what_comes_a_little_at_a_time_ends(client: HttpClient, head: bytes, more: bytes) -> None:
    with (
        server(head, *[more] * 9999) as (url, _),
        pytest.raises(NoResponse, match="it was not received in time"),
    ):
        client.ask(HttpRequest("GET", url), 0.3)


def test_a_response_that_began_in_time_has_all_of_it(client: HttpClient) -> None:
    head, end = OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"
    with server(head, *[b"1\r\nx\r\n"] * 20, end) as (url, _):
        assert client.ask(HttpRequest("GET", url), 30, 10).body == b"x" * 20


def test_a_response_has_to_begin_in_its_share_of_the_time(client: HttpClient) -> None:
    with (
        server(*[b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 9999) as (url, _),
        pytest.raises(NoResponse, match="it was not received in time"),
    ):
        client.ask(HttpRequest("GET", url), 1e9, 0.2)


def test_a_reader_that_takes_next_to_nothing_is_given_up(client: HttpClient) -> None:
    over = threading.Event()

    def sip(door: socket.socket) -> None:
        with door.accept()[0] as peer, suppress(OSError):
            while not over.wait(0.02):
                peer.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thread = threading.Thread(target=sip, args=(door,))
        thread.start()
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        try:
            with pytest.raises(NoResponse, match="it was not received in time"):
                client.ask(HttpRequest("PUT", url, {}, bytes(1 << 25)), 0.5)
        finally:
            over.set()
            thread.join()


def test_silence_ends(client: HttpClient) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        pytest.raises(NoResponse, match="it was not received in time"),
    ):
        client.ask(HttpRequest("GET", f"http://127.0.0.1:{door.getsockname()[1]}"), 0.2)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://127.0.0.1:99999", "http://[bad", "file:///etc/passwd"]
)
def test_where_there_is_no_server_nothing_was_sent(client: HttpClient, url: str) -> None:
    with pytest.raises(NotSent):
        client.ask(HttpRequest("GET", url), 5)


def test_a_header_that_cannot_be_one_is_not_sent_and_not_quoted(client: HttpClient) -> None:
    with server(b"") as (url, asked), pytest.raises(NotSent, match=r"cannot be one$"):
        client.ask(HttpRequest("GET", url, {"Authorization": "Bearer secret\nX: y"}), 5)
    assert b"secret" not in b"".join(asked)


def test_without_authorities_no_certificate_is_good(client: HttpClient) -> None:
    with server(b"") as (url, asked), pytest.raises(NotSent):
        client.ask(HttpRequest("GET", url.replace("http:", "https:")), 5)
    assert ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_mode is ssl.CERT_REQUIRED
    assert b"GET" not in asked[0]


def test_a_body_that_is_too_large_is_not_read_to_its_end(client: HttpClient) -> None:
    endless = OK + b"Content-Length: 99999999\r\n\r\n"
    with (
        server(endless, b"x" * (LARGEST + 1)) as (url, _),
        pytest.raises(TooLarge, match="it is larger than 1 MiB") as caught,
    ):
        client.ask(HttpRequest("GET", url), 5)
    assert caught.value.status == 200


def test_lines_come_one_by_one_until_the_server_ends_it(client: HttpClient) -> None:
    """Which is told: one that does so each time would be asked again and again."""
    head, got = OK + b"Transfer-Encoding: chunked\r\n\r\n", list[Response]()
    with (
        server(head, b"5\r\none\nt\r\n", b"3\r\nwo\n\r\n", b"4\r\nlast\r\n0\r\n\r\n") as (url, _),
        pytest.raises(NoResponse, match="the server ended it"),
    ):
        got.extend(client.lines(HttpRequest("POST", url, {}, b"x"), 2))
    assert [one.body for one in got] == [b"one", b"two", b"last"]
    assert {one.status for one in got} == {200}


def test_a_line_without_an_end_is_too_large(client: HttpClient) -> None:
    with (
        server(OK + b"\r\n", b"x" * (LARGEST + 1)) as (url, _),
        pytest.raises(TooLarge),
    ):
        list(client.lines(HttpRequest("GET", url), 2))


def test_lines_that_break_off_are_told(client: HttpClient) -> None:
    with (
        server(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4\r\none\n\r\n") as (url, _),
        pytest.raises(NoResponse),
    ):
        list(client.lines(HttpRequest("GET", url), 2))


def test_lines_end_where_a_line_comes_octet_by_octet() -> None:
    """Else a server would keep a watch open with which it tells nothing."""
    ticks = count()  # a second passes with each look at the clock
    with closing(HttpClient(None, LARGEST, lambda: float(next(ticks)))) as client:
        head = OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n"
        with server(head, *[b"1\r\nx\r\n"] * 100) as (url, _):
            got = list(client.lines(HttpRequest("GET", url), 20))
    assert [one.body for one in got] == [b"one"]


def test_the_first_line_has_a_time_of_its_own() -> None:
    passed = [0.0]
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    with closing(HttpClient(None, LARGEST, lambda: passed[0])) as client:
        with server(head, b"4\r\none\n\r\n", b"4\r\ntwo\n\r\n0\r\n\r\n") as (url, _):
            lines = client.lines(HttpRequest("GET", url), 600, 60)
            assert next(lines).body == b"one"
            passed[0] = 500.0
            assert next(lines).body == b"two"
        with socket.create_server(("127.0.0.1", 0)) as door:
            silent = f"http://127.0.0.1:{door.getsockname()[1]}"
            assert list(client.lines(HttpRequest("GET", silent), 600, 0.2)) == []
