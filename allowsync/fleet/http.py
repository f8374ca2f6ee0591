"""Requests to a store over HTTP, all within one deadline, and their errors as those of a store."""

from __future__ import annotations

import ssl
import time
from math import inf
from typing import TYPE_CHECKING, Final

from allowsync.fleet.store import NoAnswer, NoConnection, StoreError
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
    """Puts requests to servers, all within one deadline.

    Args:
        authority: A file with the certificates that servers' are held to; None: the system's.
        largest: The most octets of a body.
    """

    def __init__(self, authority: str | None, largest: int) -> None:
        self._ends = time.monotonic() + SECONDS
        self._client = HttpClient(_context(authority), largest, connect=_CONNECT)

    @property
    def left(self) -> float:
        """The seconds that are left for all requests; none where there are no more."""
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
        """Put a request.

        Args:
            method: `GET`, say.
            url: Where.
            headers: Further headers.
            body: What is sent along.
            share: The part of the time left in which the answer has to begin.
            seconds: How long it may take, to the end of the answer, where that is less.

        Raises:
            NoConnection: The server cannot be reached.
            NoAnswer: There is no whole answer in time.
            StoreError: The answer is larger than it may be.
        """
        left = max(min(self.left, seconds), 0.1)
        try:
            return self._client.ask(HttpRequest(method, url, headers, body), left, left * share)
        except NotSent as error:
            raise NoConnection(str(error)) from None
        except NoResponse as error:
            raise NoAnswer(str(error)) from None
        except TooLarge as error:
            raise StoreError(f"its answer: {error}") from None

    def lines(
        self, url: str, headers: Mapping[str, str], body: bytes, idle: float
    ) -> Iterator[Response]:
        """Post a request whose answer goes on and on, line by line.

        Args:
            url: The URL.
            headers: Further headers.
            body: What is posted.
            idle: It ends where no whole line comes for so many seconds.

        Raises:
            NoConnection: There is no connection, or it broke.
            StoreError: A line is larger than an answer may be.
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
    """Raises StoreError: the file holds no certificates."""
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds no certificates"
        raise StoreError(f"{authority}: {why}") from None
    if authority is None and not context.cert_store_stats()["x509_ca"]:
        return authorities()
    return context
