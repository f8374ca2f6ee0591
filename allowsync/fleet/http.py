"""Requests to a store over HTTP, within bounds of size and time.

httpx, as elsewhere: HTTP/1.1 with connections kept open over the few requests of a run, and a
total deadline on top. Redirects are not followed, the environment's proxies not used.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from allowsync import __version__
from allowsync.fleet.store import NoConnection, StoreError
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS: Final = 10.0  # for all requests of one look, or of one publication
_CONNECT: Final = 3.0


class Response(NamedTuple):
    """The response to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Puts requests to servers, all within one deadline.

    Args:
        authority: A file with the certificates that servers' are held to; None: the system's.
        largest: The most octets of a body.
    """

    def __init__(self, authority: str | None, largest: int) -> None:
        self._largest = largest
        self._ends = time.monotonic() + SECONDS
        self._client = httpx.Client(
            verify=_context(authority),
            trust_env=False,
            headers={"User-Agent": f"allowsync/{__version__}", "Accept-Encoding": "identity"},
        )

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Put a request.

        Raises:
            NoConnection: There is no answer in time.
            StoreError: The answer is larger than it may be.
        """
        left = max(self._ends - time.monotonic(), 0.1)
        timeout = httpx.Timeout(left, connect=min(_CONNECT, left))
        try:
            with self._client.stream(
                method, url, headers=headers, content=body or None, timeout=timeout
            ) as response:
                return Response(response.status_code, response.headers, self._body(response))
        except httpx.HTTPError as error:
            raise NoConnection(_said(error)) from None

    def lines(
        self, url: str, headers: Mapping[str, str], body: bytes, idle: float
    ) -> Iterator[Response]:
        """Post a request whose answer goes on and on, line by line.

        Args:
            url: The URL.
            headers: Further headers.
            body: What is posted.
            idle: It ends where nothing comes for so many seconds.

        Raises:
            NoConnection: There is no connection, or it broke.
            StoreError: A line is larger than an answer may be.
        """
        timeout = httpx.Timeout(idle, connect=_CONNECT)
        try:
            with self._client.stream(
                "POST", url, headers=headers, content=body, timeout=timeout
            ) as response:
                for line in self._lines(response):
                    yield Response(response.status_code, response.headers, line)
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise NoConnection(_said(error)) from None

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _lines(self, response: httpx.Response) -> Iterator[bytes]:
        rest = b""
        for part in response.iter_raw():
            *whole, rest = (rest + part).split(b"\n")
            yield from filter(None, whole)
            if len(rest) > self._largest:
                raise StoreError(f"its answer is larger than {self._largest // 2**20} MiB")
        if rest:
            yield rest

    def _body(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in response.iter_raw():
            parts.append(part)
            size += len(part)
            if size > self._largest:
                raise StoreError(f"its answer is larger than {self._largest // 2**20} MiB")
            if time.monotonic() > self._ends:
                raise NoConnection("its answer comes too slowly")
        return b"".join(parts)


def _context(authority: str | None) -> ssl.SSLContext:
    """Raises StoreError: the file holds no certificates."""
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds no certificates"
        raise StoreError(f"{authority}: {why}") from None
    if authority is None and not context.cert_store_stats()["x509_ca"]:
        return httpx.create_ssl_context(trust_env=False)
    return context


def _said(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return printable(str(error))[:200] or type(error).__name__
