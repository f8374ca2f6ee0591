"""The fake server: HTTP on loopback, and what it does with each request."""

from __future__ import annotations

import json
import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from testkit.fake_jellyfin.access import AccessRules
from testkit.fake_jellyfin.faults import JellyfinAnswer, JellyfinFault, json_answer, spoilt
from testkit.fake_jellyfin.network_settings import (
    InvalidSettings,
    Settings,
    defaults,
    deserialized,
    serialized,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

NETWORK: Final = "/System/Configuration/network"
_PUBLIC: Final = ("/System/Info/Public", "/System/Ping")
_ADMIN: Final = (
    ("POST", NETWORK),
    ("POST", "/System/Restart"),
    ("GET", "/System/Configuration/MetadataOptions/Default"),
)
_PIECE: Final = 4096
_TOKEN: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class LoggedCall:
    """A request, and what it was answered with: 0 where the connection was cut."""

    method: str
    path: str
    body: bytes
    content_type: str
    status: int = 0
    answer: bytes = b""
    answer_type: str = ""
    fault: JellyfinFault | None = None


class FakeJellyfin:
    """One server.

    Attributes:
        settings: Its network settings, as they are stored.
        key: An API key, which may do everything.
        user_token: The token of a user who is no administrator.
        faults: What becomes of the next requests of a method, one after the other.
        before_write: Called when new settings have come, before they are stored: another writer.
        after_write: Called when they are stored, before that is answered.
        peer: The address that clients have for the server.
        sessions: What `GET /Sessions` gives.
        restarts: How many times it was restarted.
        slow_starts: How many requests a restart leaves unanswered.
    """

    key = "0123456789abcdef0123456789abcdef"
    user_token = "fedcba9876543210fedcba9876543210"  # noqa: S105 - of a fake

    def __init__(self, version: str = "10.11.6", base: str = "") -> None:
        self.version = version
        self.base = base
        numbers = tuple(map(int, version.split(".")))
        self.known = defaults(numbers)
        self.settings: Settings = defaults(numbers)
        self.rules = AccessRules(numbers)
        self.rules.start(self.settings)
        self.calls: list[LoggedCall] = []
        self.faults: dict[str, list[JellyfinFault]] = {"GET": [], "POST": []}
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None
        self.peer = "127.0.0.1"
        self.sessions: list[dict[str, Any]] = []
        self.restarts = 0
        self.slow_starts = 2
        self._down = 0
        self._guard = threading.RLock()
        self._server = _FakeServer(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> FakeJellyfin:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.base}"

    @property
    def writes(self) -> list[LoggedCall]:
        """The requests that change something."""
        return [one for one in self.calls if one.method == "POST"]

    def store(self, **fields: Any) -> None:
        """Change some settings, as the dashboard does."""
        with self._guard:
            self.settings = {**self.settings, **fields}
            self.rules.update(self.settings)

    def go_down(self, requests: int) -> None:
        """Leave some requests unanswered, then start again."""
        self._down = requests

    def boot(self) -> None:
        """Start it again, at once."""
        self.rules.start(self.settings)

    def lets_in(self, client: str, through: str = "") -> bool:
        """Whether a client gets in, who connects itself or through a proxy that names it."""
        peer = ip_address(through or client)
        seen = ip_address(client) if through and self.rules.believed(peer) else peer
        return self.rules.lets_in(seen, self.settings)

    def answer(self, call: LoggedCall, authorization: str) -> JellyfinAnswer | None:
        """What a request is answered with; None where the connection is cut."""
        with self._guard:
            self.calls.append(call)
            if self._down:
                self._down -= 1
                if not self._down:
                    self.boot()
                return None
            ordered = self.faults.get(call.method, [])
            if not ordered:
                return self._answered(call, authorization)
            call.fault = ordered.pop(0)
            done = self._answered(call, authorization) if call.fault.done else JellyfinAnswer(200)
            return spoilt(call.fault, done)

    def _answered(self, call: LoggedCall, authorization: str) -> JellyfinAnswer:
        peer = ip_address(self.peer)
        if not self.rules.lets_in(peer, self.settings):
            return JellyfinAnswer(503, kind="")
        path = call.path.removeprefix(self.base)
        if not call.path.startswith(self.base):
            return JellyfinAnswer(404, kind="")
        if path not in _PUBLIC and (refused := self._refusal(call.method, path, authorization)):
            return JellyfinAnswer(refused, kind="")
        return self._routed(call, path)

    def _refusal(self, method: str, path: str, authorization: str) -> int:
        scheme, _, rest = authorization.partition(" ")
        token = dict(_TOKEN.findall(rest)).get("Token") if scheme == "MediaBrowser" else None
        if token == self.key:
            return 0
        if token != self.user_token:
            return 401
        return 403 if (method, path) in _ADMIN else 0

    def _routed(self, call: LoggedCall, path: str) -> JellyfinAnswer:
        match call.method, path:
            case "GET", "/System/Info/Public" | "/System/Info":
                return json_answer({"Version": self.version, "ServerName": "media", "Id": "0" * 32})
            case "GET", "/System/Endpoint":
                peer = ip_address(self.peer)
                inside = self.rules.local(peer)
                return json_answer({"IsLocal": peer.is_loopback, "IsInNetwork": inside})
            case "GET", "/Sessions":
                return json_answer(self.sessions)
            case "GET", "/System/Configuration/MetadataOptions/Default":
                return json_answer({"DisabledMetadataSavers": []})
            case "GET", "/System/Configuration/network":
                return json_answer(serialized(self.settings))
            case "POST", "/System/Configuration/network":
                return self._written(call)
            case "POST", "/System/Restart":
                self.restarts += 1
                self._down = self.slow_starts
                if not self._down:
                    self.boot()
                return JellyfinAnswer(204, kind="")
            case _:
                return JellyfinAnswer(404, kind="")

    def _written(self, call: LoggedCall) -> JellyfinAnswer:
        if call.content_type.partition(";")[0] != "application/json":
            return JellyfinAnswer(415, kind="")
        try:
            settings = deserialized(json.loads(call.body), self.known)
        except (ValueError, InvalidSettings):
            return JellyfinAnswer(400, b"Error processing request.", "text/plain")
        self.before_write()
        self.store(**settings)
        self.after_write()
        return JellyfinAnswer(204, kind="")


class _FakeServer(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, jellyfin: FakeJellyfin) -> None:
        self.jellyfin = jellyfin
        super().__init__(("127.0.0.1", 0), _FakeHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no fault of ours."""


class _FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Kestrel"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 5
    server: _FakeServer

    def _handle(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        path, kind = urlsplit(self.path).path, self.headers.get("Content-Type") or ""
        call = LoggedCall(self.command, path, self.rfile.read(size), kind)
        answer = self.server.jellyfin.answer(call, self.headers.get("Authorization") or "")
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        call.status, call.answer, call.answer_type = answer.status, answer.body, answer.kind
        self.send_response(answer.status)
        if answer.kind:
            self.send_header("Content-Type", answer.kind)
        chunked = answer.status == 200 and "Content-Length" not in answer.headers
        length = {} if chunked or answer.status == 204 else {"Content-Length": len(answer.body)}
        coding = {"Transfer-Encoding": "chunked"} if chunked else {}
        for name, value in {**length, **coding, "Connection": "close", **answer.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self._send(answer, chunked=chunked)

    def _send(self, answer: JellyfinAnswer, *, chunked: bool) -> None:
        """The body; what is said to be done in one piece goes out in several, as Kestrel does."""
        if not chunked:
            self.wfile.write(answer.body)
            return
        for start in range(0, len(answer.body), _PIECE):
            piece = answer.body[start : start + _PIECE]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"" if answer.cut else b"0\r\n\r\n")

    do_GET = do_POST = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: there is a log."""
