"""What an API may answer instead of what is documented: never taken for anything else."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.traefik import api as module
from allowsync_backends.traefik.api import Api, ApiError, ApiUnreachable, TraefikEntryPoint
from allowsync_backends.traefik.document import definitions
from allowsync_backends.traefik.options import MiddlewareKind
from allowsync_backends.traefik.syntax import TraefikSyntax

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN = {"status": "enabled", "name": "x@file", "provider": "file", "type": "ipallowlist"}


@contextmanager
def serving(status: int, body: bytes, seen: list[str] | None = None) -> Iterator[Api]:
    """An API that gives the same answer to every question."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Api(f"http://127.0.0.1:{server.server_port}/base/")
        finally:
            server.shutdown()
            thread.join()


def test_names_are_asked_for_below_the_path_of_the_url() -> None:
    seen: list[str] = []
    with serving(200, json.dumps(KNOWN).encode(), seen) as api:
        api.middleware(MiddlewareKind.TCP, "allowsync-x")
    assert seen == ["/base/api/tcp/middlewares/allowsync-x@file"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"ipAllowList": {"sourceRange": ["a", 7]}}, (("a",), ())),
        ({"ipWhiteList": {"sourceRange": ["a"]}, "error": ["no"]}, (("a",), ("no",))),
        ({"ipAllowList": {}, "error": ["empty"]}, ((), ("empty",))),
        ({"basicAuth": {}}, ((), ())),
    ],
    ids=str,
)
def test_a_middleware_is_what_the_api_tells(more: dict[str, Any], expected: object) -> None:
    with serving(200, json.dumps({**KNOWN, **more}).encode()) as api:
        found = api.middleware(MiddlewareKind.HTTP, "x")
    assert found is not None
    assert (found.definition.ranges, found.errors) == expected


def test_numbers_of_the_api_are_those_of_the_file() -> None:
    syntax = TraefikSyntax("x", depth=2, reject_status=404)
    text = syntax.render("web", [ip_network("81.2.69.1")])
    settings = {
        "rejectStatusCode": 404,
        "ipStrategy": {"depth": 2},
        "sourceRange": ["81.2.69.1/32"],
    }
    with serving(200, json.dumps({**KNOWN, "ipAllowList": settings}).encode()) as api:
        found = api.middleware(MiddlewareKind.HTTP, "x")
    assert found is not None
    assert found.definition == definitions(text, syntax)[MiddlewareKind.HTTP]


def test_a_middleware_that_is_not_known_is_none() -> None:
    with serving(404, b'{"message":"middleware not found: x@file"}') as api:
        assert api.middleware(MiddlewareKind.HTTP, "x") is None


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (404, b"404 page not found\n", "is no API of Traefik .HTTP status 404"),
        (404, b"[]", "HTTP status 404"),
        (200, b"<html>", "is no API of Traefik"),
        (200, b"[" * 100_000, "is no API of Traefik"),
        (200, b"\xff", "is no API of Traefik"),
        (200, b"{}", "did not tell its"),
        (200, b"7", "did not tell its"),
        (401, b'"401 Unauthorized"', "HTTP status 401"),
        (302, b"{}", "HTTP status 302"),
        (500, b"{}", "HTTP status 500"),
    ],
    ids=range(10),
)
def test_what_is_not_as_documented_is_an_error(status: int, body: bytes, why: str) -> None:
    with serving(status, body) as api:
        questions = (
            lambda: api.middleware(MiddlewareKind.HTTP, "x"),
            api.version,
            api.entry_points,
            lambda: api.routers(MiddlewareKind.HTTP),
            lambda: api.chains(MiddlewareKind.HTTP),
        )
        for question in questions:
            with pytest.raises(ApiError, match=why):
                question()


def test_of_entry_points_what_is_believed_is_told() -> None:
    told = [
        {"name": "b", "forwardedHeaders": {"insecure": True}},
        {
            "name": "a",
            "address": ":443/tcp",
            "forwardedHeaders": {"trustedIPs": ["10.0.0.0/8"]},
            "proxyProtocol": {"insecure": True},
        },
        {"name": "c"},
        {"name": "d", "forwardedHeaders": 7},
        {"name": 7},
        "e",
    ]
    with serving(200, json.dumps(told).encode()) as api:
        assert api.entry_points() == (
            TraefikEntryPoint(
                "a",
                from_anybody=False,
                trusted=("10.0.0.0/8",),
                address=":443/tcp",
                by_protocol=True,
                protocol_from_anybody=True,
            ),
            TraefikEntryPoint("b", from_anybody=True),
            TraefikEntryPoint("c", from_anybody=False),
            TraefikEntryPoint("d", from_anybody=False),
        )


def test_the_links_of_a_chain_are_its_own_providers_unless_they_say_another() -> None:
    told = [
        {"name": "all@docker", "chain": {"middlewares": ["a", "b@file", 7]}},
        {"name": "b@file", "ipAllowList": {"sourceRange": []}},
        {"name": "odd@file", "chain": 7},
    ]
    with serving(200, json.dumps(told).encode()) as api:
        assert api.chains(MiddlewareKind.HTTP) == {"all@docker": {"a@docker", "b@file"}}


def test_nobody_there_and_no_answer_are_told_apart(
    nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ApiError, match="no answer from the API") as raised:
            Api(url).version()
        assert not isinstance(raised.value, ApiUnreachable)
    with pytest.raises(ApiUnreachable, match=f"nothing listens at {nowhere}"):
        Api(nowhere).version()


def test_an_answer_that_breaks_off_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ApiError):
            Api(f"http://127.0.0.1:{server.getsockname()[1]}").version()
        thread.join()
