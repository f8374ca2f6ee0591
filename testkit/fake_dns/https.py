"""A DNS over HTTPS front for a `NameServer` (RFC 8484): a real HTTPS server on loopback.

It speaks HTTP/2 with whoever offers that, and HTTP/1.1 with others. Needs `h2`.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from allowsync.model.nameserver import Nameserver, Transport
from testkit.fake_dns.http2 import Http2Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from testkit.fake_dns.nameserver import NameServer

PATH: Final = "/dns-query"
MEDIA_TYPE: Final = "application/dns-message"

_PATIENCE: Final = 60.0  # seconds that a connection may stand still

HTTP1: Final = ("http/1.1",)
HTTP2: Final = ("h2",)

# Is given a question, and what it came by: a `DohHandler`, or a `Stream` of HTTP/2.
Reaction: TypeAlias = "Callable[[Any, bytes], None]"


class DohHandler(BaseHTTPRequestHandler):
    """One connection, and over HTTP/1.1 the question that came over it last."""

    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    front: HttpsFront

    def handle(self) -> None:
        """Speak what was agreed on."""
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()
            spoken = self.connection.selected_alpn_protocol()
            self.front.connections.append(spoken)
            if spoken == "h2":
                Http2Connection(self.connection, self.front).serve()
                return
        super().handle()

    def do_POST(self) -> None:
        """Answer a question as the front is told to."""
        wire = self.rfile.read(int(self.headers["content-length"]))
        self.front.asked.append((self.path, dict(self.headers.items())))
        self.front.reaction(self, wire)

    def reply(self, body: bytes, kind: str = MEDIA_TYPE, status: int = 200) -> None:
        """Send a whole response."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Close the connection, without having said so."""
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def answer(asked: Any, wire: bytes) -> None:
    """What the name server behind answers; the connection closes where it does."""
    behind = asked.front.behind
    with (
        socket.create_connection((behind.address, behind.port), timeout=_PATIENCE) as plain,
        asked.front.noting(plain),
        plain.makefile("rb") as received,
    ):
        plain.sendall(len(wire).to_bytes(2, "big") + wire)
        length = received.read(2)
        body = received.read(int.from_bytes(length, "big"))
    if not length:
        asked.hang_up()
    else:
        asked.reply(body)


class _DohServer(ThreadingHTTPServer):
    daemon_threads = False  # so that closing it waits for them
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[DohHandler]) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note a connection, and serve it in a thread."""
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that ends badly is the other side's choice."""


class HttpsFront:
    """A context manager that lets a name server be asked over HTTPS.

    Attributes:
        behind: The name server.
        reaction: What is done with a question; may be changed at any time.
        settings: What is asked of whoever speaks HTTP/2, by the numbers of RFC 9113 section 6.5.2.
        asked: Path and headers of every request.
        connections: What was agreed on by ALPN, for every connection.
        complaints: What was against the rules of HTTP/2.
        reacting: The threads of all questions over HTTP/2.
    """

    def __init__(
        self,
        behind: NameServer,
        context: ssl.SSLContext,
        host: str = "127.0.0.1",
        reaction: Reaction = answer,
        *,
        protocols: tuple[str, ...] = HTTP2 + HTTP1,
        settings: Mapping[int, int] | None = None,
    ) -> None:
        self.behind = behind
        self.reaction = reaction
        self.settings = dict(settings or {})
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.connections: list[str | None] = []
        self.complaints: list[str] = []
        self.reacting: list[threading.Thread] = []
        if protocols:
            context.set_alpn_protocols(protocols)
        self._host = host
        handler = type("FrontHandler", (DohHandler,), {"front": self})
        self._server = _DohServer((behind.address, 0), handler)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="https front", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"https://{self._host}:{self.port}{PATH}"

    @property
    def nameserver(self) -> Nameserver:
        """This server as a configuration names it."""
        return Nameserver("", self.port, Transport.HTTPS, url=self.url)

    def __str__(self) -> str:
        return self.url

    def __enter__(self) -> HttpsFront:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, close every connection, and wait for all who served one."""
        self._server.shutdown()
        self._thread.join()
        for one in tuple(self._server.open):
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        self._server.server_close()
        for thread in self.reacting:
            thread.join()

    @contextmanager
    def noting(self, connection: socket.socket) -> Iterator[None]:
        """Have a connection ended when this ends."""
        self._server.open.add(connection)
        try:
            yield
        finally:
            self._server.open.discard(connection)
