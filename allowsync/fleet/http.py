"""Requests to a store over HTTP within one deadline, with their errors as store errors."""

from __future__ import annotations

import ssl
import time
from math import inf
from typing import TYPE_CHECKING, Final

from allowsync.fleet.store import NoConnection, NoWholeAnswer, StoreError
from allowsync.system.http_client import (
    HttpClient,
    HttpRequest,
    NoResponse,
    NotSent,
    Response,
    TooLarge,
    authorities,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS: Final = 10.0  # for all requests of one look, or of one publication
_CONNECT: Final = 3.0  # seconds: of three members, two may be gone


class Client:
    """Sends requests to servers, all within one deadline.

    Args:
        authority: A file of certificates to verify servers with; None for the system's.
        largest: The most octets of a body.
    """

    def __init__(self, authority: str | None, largest: int) -> None:
        self._ends = time.monotonic() + SECONDS
        self._client = HttpClient(_context(authority), largest, connect=_CONNECT)

    @property
    def left(self) -> float:
        """The seconds left for all requests; 0 after the deadline."""
        return max(self._ends - time.monotonic(), 0.0)

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        share: float = 1.0,
        *,
        seconds: float = inf,
    ) -> Response:
        """Send a request.

        Args:
            method: The method, as `GET`.
            url: The URL.
            headers: Further headers.
            body: The content of the request.
            share: The part of the time left within which the answer has to begin.
            seconds: The most seconds to the end of the answer, if less than the time left.

        Raises:
            NoConnection: The server cannot be reached.
            NoWholeAnswer: No whole answer came in time.
            StoreError: The answer exceeds the size limit.
        """
        left = max(min(self.left, seconds), 0.1)
        try:
            return self._client.ask(HttpRequest(method, url, headers, body), left, left * share)
        except NotSent as error:
            raise NoConnection(str(error)) from None
        except NoResponse as error:
            raise NoWholeAnswer(str(error)) from None
        except TooLarge as error:
            raise StoreError(f"its answer: {error}") from None

    def lines(
        self, url: str, headers: Mapping[str, str], body: bytes, idle: float
    ) -> Iterator[Response]:
        """Post a request with an endless answer, read line by line.

        Args:
            url: The URL.
            headers: Further headers.
            body: The content of the request.
            idle: The seconds without a whole line after which the answer ends.

        Raises:
            NoConnection: There is no connection, or it broke.
            StoreError: A line exceeds the size limit.
        """
        try:
            yield from self._client.lines(HttpRequest("POST", url, headers, body), idle, SECONDS)
        except (NotSent, NoResponse) as error:
            raise NoConnection(str(error)) from None
        except TooLarge as error:
            raise StoreError(f"its answer: {error}") from None

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def _context(authority: str | None) -> ssl.SSLContext:
    """The TLS context. Raises StoreError where the file holds no certificates."""
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds no certificates"
        raise StoreError(f"{authority}: {why}") from None
    if authority is None and not context.cert_store_stats()["x509_ca"]:
        return authorities()
    return context
