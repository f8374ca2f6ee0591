r"""A web server with lists, which answers rightly or with every fault there is.

    with ListServer() as server:
        server.answers["/drop.txt"] = whole(b"192.0.2.0/24\n")
        ...  # fetch f"{server.url}/drop.txt"
        server.answers["/drop.txt"] = cut(b"192.0.2.0/24\n", missing=5)

An answer is what is sent, octet by octet, or a function that sends it. A path without one is a 404.
"""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    Answer: TypeAlias = "bytes | Callable[[socket.socket, ListRequest], None]"

PATIENCE: Final = 30.0  # seconds that a connection may stand still
_HEAD: Final = 65536


@dataclass(frozen=True)
class ListRequest:
    """What was asked."""

    path: str
    headers: Mapping[str, str]


@dataclass
class ListServer:
    """Serves lists at a port of its own; a context manager.

    Attributes:
        context: What it proves its names with; None over plain HTTP.
        host: The address it listens at.
        answers: What it sends, by path.
        requests: What it was asked, in order.
    """

    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[ListRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> ListServer:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"{'http' if self.context is None else 'https'}://{self.host}:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            with suppress(OSError), connection:
                self._answer(connection)

    def _answer(self, plain: socket.socket) -> None:
        secured = self.context and self.context.wrap_socket(plain, server_side=True)
        with secured or plain as connection:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _HEAD:
                if not (part := connection.recv(_HEAD)):
                    return
                head += part
            first, *lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            pairs = (line.partition(":") for line in lines)
            request = ListRequest(
                first.split()[1], {name.lower(): value.strip() for name, _, value in pairs}
            )
            self.requests.append(request)
            answer = self.answers.get(request.path, status(404))
            if callable(answer):
                answer(connection, request)
            else:
                connection.sendall(answer)
            if secured:
                with suppress(OSError):
                    secured.unwrap()


def head(code: int, **headers: str) -> bytes:
    """A status line and headers; `_` stands for `-`."""
    lines = [f"HTTP/1.1 {code} Said", *(f"{name.replace('_', '-')}: {value}"
             for name, value in {"Connection": "close", **headers}.items())]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


def whole(content: bytes, **headers: str) -> bytes:
    """A list as it should be sent."""
    return head(200, Content_Length=str(len(content)), **headers) + content


def cut(content: bytes, missing: int) -> bytes:
    """A list of which the end is missing, by its length."""
    return head(200, Content_Length=str(len(content))) + content[:-missing]


def unbounded(content: bytes) -> bytes:
    """A list without a length, which ends with the connection."""
    return head(200) + content


def chunked(content: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A list in pieces, and how they end."""
    piece = f"{len(content):x}\r\n".encode() + content + b"\r\n"
    return head(200, Transfer_Encoding="chunked") + piece + end


def packed(content: bytes, missing: int = 0, encoding: str = "gzip") -> bytes:
    """A list that is packed, and the octets missing at its end."""
    body = gzip.compress(content)
    return whole(body[: len(body) - missing], Content_Encoding=encoding)


def redirect(to: str, code: int = 302) -> bytes:
    """A redirect."""
    return head(code, Location=to, Content_Length="0")


def status(code: int) -> bytes:
    """A status with a page."""
    return head(code, Content_Length="6") + b"<html>"


def dripping(content: bytes, pause: float) -> Callable[[socket.socket, ListRequest], None]:
    """A list that comes octet by octet."""

    def send(connection: socket.socket, _: ListRequest) -> None:
        connection.sendall(head(200, Content_Length=str(len(content))))
        for one in content:
            connection.sendall(bytes([one]))
            time.sleep(pause)

    return send


def endless(connection: socket.socket, _: ListRequest) -> None:
    """A list that does not end."""
    connection.sendall(head(200, Transfer_Encoding="chunked"))
    piece = b"10000\r\n" + b"192.0.2.0/24 \n".ljust(65536, b"#") + b"\r\n"
    while True:
        connection.sendall(piece)


def by_etag(content: bytes, etag: str) -> Callable[[socket.socket, ListRequest], None]:
    """A list that is only sent where it is another than the one that was fetched."""

    def send(connection: socket.socket, request: ListRequest) -> None:
        same = request.headers.get("if-none-match") == etag
        connection.sendall(head(304, ETag=etag) if same else whole(content, ETag=etag))

    return send
