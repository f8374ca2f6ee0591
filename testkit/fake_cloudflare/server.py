"""The HTTP around it: loopback, HTTP/1.1 with connections that stay open, one thread for each."""

from __future__ import annotations

import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from testkit.fake_cloudflare import exchange
from testkit.fake_cloudflare.log import LoggedRequest

if TYPE_CHECKING:
    from testkit.fake_cloudflare.faults import Delivery, FaultQueue
    from testkit.fake_cloudflare.state import CloudState

PREFIX: Final = "/client/v4"
_LARGEST_BODY: Final = 64 << 20


class FakeApiServer(ThreadingHTTPServer):
    """Serves a cloud. What goes wrong inside is kept in `failures`."""

    daemon_threads = False
    block_on_close = True
    # Dozens of clients may knock at once.
    request_queue_size = 128

    def __init__(self, cloud: CloudState, faults: FaultQueue, address: tuple[str, int]) -> None:
        self.cloud = cloud
        self.faults = faults
        self.log: list[LoggedRequest] = []
        self.failures: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, FakeApiHandler)

    def note(self, request: LoggedRequest) -> None:
        """Keep a request."""
        with self._guard:
            self.log.append(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that it can be ended."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget it, and close it."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - its signature
        """Keep what is our own fault; that a client went away is not."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            self.failures.append(error)

    def hang_up(self) -> None:
        """End every connection that is still open."""
        with self._guard:
            for each in self._open:
                _shut(each)


class FakeApiHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "cloudflare"
    sys_version = ""
    # Headers and body in one segment: else the second waits for an acknowledgement of the first.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60
    server: FakeApiServer

    def _handle(self) -> None:
        clock = self.server.cloud.clock
        size = int(self.headers.get("Content-Length") or 0)
        split = urlsplit(self.path)
        request = LoggedRequest(
            method=self.command,
            path=split.path.removeprefix(PREFIX) if split.path.startswith(PREFIX) else split.path,
            query=exchange.query_of(split.query),
            headers={key.lower(): value for key, value in self.headers.items()},
            body=self.rfile.read(min(size, _LARGEST_BODY)),
            begun=clock(),
        )
        self.server.note(request)
        delivery = exchange.respond(self.server.cloud, self.server.faults, request)
        if "authorization" in request.headers:
            scheme = request.headers["authorization"].partition(" ")[0]
            request.headers["authorization"] = f"{scheme} hidden"
        # Noted before the client can have it: whoever has the answer finds it in the log.
        _noted(request, delivery, clock())
        self._send(delivery)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _send(self, delivery: Delivery) -> None:
        if delivery.cut:
            self.close_connection = True
            _shut(self.connection)
            return
        reply, body = delivery.reply, delivery.reply.body or b""
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body) + delivery.missing))
        for key, value in reply.headers.items():
            self.send_header(key, value)
        self.end_headers()
        size = max(1, -(-len(body) // delivery.parts))
        for start in range(0, len(body), size):
            if delivery.pause:
                self.wfile.flush()
                time.sleep(delivery.pause)
            self.wfile.write(body[start : start + size])
        self.wfile.flush()
        if delivery.missing:
            self.close_connection = True
            _shut(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: there is a log."""


def _noted(request: LoggedRequest, delivery: Delivery, now: float) -> None:
    request.ended = now
    if not delivery.cut:
        request.status = delivery.reply.status
        request.answer = delivery.reply.body or b""
        request.answer_headers = dict(delivery.reply.headers)
        request.content_type = delivery.reply.content_type


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
