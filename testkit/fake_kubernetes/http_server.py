"""HTTP or HTTPS: requests come in, and answers and watches go out."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from allowsync.testing.io_faults import io_unwatched
from testkit.fake_kubernetes.calls import ServedCall
from testkit.fake_kubernetes.faults import ApiAnswer, refused_answer
from testkit.fake_kubernetes.statuses import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ssl import SSLContext

    from testkit.fake_kubernetes.api_server import FakeKubernetes


class ApiHttpServer(ThreadingHTTPServer):
    """Serves one cluster on loopback, by HTTP or HTTPS."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, cluster: FakeKubernetes, context: SSLContext | None) -> None:
        self.cluster = cluster
        self.context = context
        super().__init__(("127.0.0.1", 0), _ApiHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection; TLS begins in its own thread, so that no client holds up others."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(5)
        with self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no fault of ours."""


class _ApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60
    server: ApiHttpServer

    def _handle(self) -> None:
        with io_unwatched():
            self._serve()

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        call = ServedCall(
            self.command,
            parts.path,
            {name: values[0] for name, values in parse_qs(parts.query).items()},
            self.rfile.read(size),
            (self.headers.get("Content-Type") or "").partition(";")[0],
            self._user(),
            self.headers.get("User-Agent") or "",
        )
        try:
            events = self.server.cluster.watched(call) if call.user else None
        except Refusal as refusal:
            self._send(refused_answer(refusal))
            return
        if events is not None:
            self._stream(events)
            return
        answer = self.server.cluster.answer(call)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        call.status = answer.status
        self._send(answer)

    def _user(self) -> str:
        """Who asks: by a token, or by the name in a client certificate."""
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if scheme == "Bearer":
            return self.server.cluster.users.get(token, "")
        certificate: dict[str, Any] = getattr(self.connection, "getpeercert", dict)() or {}
        names = {key: value for part in certificate.get("subject", ()) for key, value in part}
        return str(names.get("commonName", ""))

    def _send(self, answer: ApiAnswer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        if "Content-Length" in answer.headers:
            self.close_connection = True

    def _stream(self, events: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for one in events:
            if one:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(one), one))
            self.wfile.flush()
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: there is a list of calls."""
