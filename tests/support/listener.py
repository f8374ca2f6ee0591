"""A web server on loopback that keeps what it is told, and answers as it is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Heard(NamedTuple):
    """One request."""

    method: str
    path: str
    body: str
    headers: Mapping[str, str]


@dataclass
class PortListener:
    """Serves HTTP while it is entered.

    Attributes:
        status: What it answers.
        location: Where it sends people, for a redirection.
        silent: Whether it answers nothing at all before it is left.
        then: Called with every request, before it is answered.
        heard: Every request, in order.
    """

    status: int = 200
    location: str = ""
    silent: bool = False
    then: Callable[[], None] = lambda: None
    heard: list[Heard] = field(default_factory=list)
    _left: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                listener.heard.append(Heard(self.command, self.path, body, dict(self.headers)))
                listener.then()
                if listener.silent:
                    listener._left.wait(60)
                    return
                self.send_response(listener.status)
                if listener.location:
                    self.send_header("Location", listener.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = answer  # noqa: N815 - so they are called

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def place(self) -> str:
        """Its address and port."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """Method and path of every request."""
        return [f"{one.method} {one.path}" for one in self.heard]
