"""Requests over HTTP to servers of the configuration, within bounds of size and time.

Nothing of the environment is heeded (`trust_env=False`): no proxy, no other certificates, no
`.netrc`. Redirects are not followed, so credentials go nowhere but to the URL that was asked.

Texts of errors quote nothing that was sent.
"""

from __future__ import annotations

import ssl
import time
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from allowsync import __version__
from allowsync.system.http_network import BoundedNetwork, BoundedTransport
from allowsync.text import abridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

CONNECT: Final = 5.0  # seconds
_LONGEST: Final = 200  # characters of what an error says


class HttpError(Exception):
    """There is no response. The text says why."""


class NotSent(HttpError):
    """No connection, or what was asked for cannot be a URL: the server never saw the request."""


class NoResponse(HttpError):
    """The request was sent, and no whole response came: it may have been carried out."""


class TooLarge(HttpError):
    """A response that is larger than it may be.

    Attributes:
        status: Its status.
    """

    def __init__(self, status: int, largest: int) -> None:
        super().__init__(f"it is larger than {largest // 2**20} MiB")
        self.status = status


class Response(NamedTuple):
    """The response to a request: a whole one, or a line of one that goes on."""

    status: int
    headers: Mapping[str, str]  # by names in any case
    body: bytes


class HttpRequest(NamedTuple):
    """What is asked.

    Attributes:
        method: `GET`, say.
        url: Where.
        headers: Further headers.
        body: What is sent along; empty for none.
        params: The query, behind the `?`.
        name: The name that the certificate is to be for, where it is not that of the URL.
    """

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    params: Mapping[str, str] | None = None
    name: str = ""


class HttpClient:
    """Puts requests, one after the other, over connections that are kept.

    Args:
        trust: Whose certificates count; None where none is asked for, as only http:// is.
        largest: The most octets of a body.
        now: The time in seconds from any start.
        connect: How many seconds a connection may take.
    """

    def __init__(
        self,
        trust: ssl.SSLContext | None,
        largest: int,
        now: Callable[[], float] = time.monotonic,
        connect: float = CONNECT,
    ) -> None:
        self._largest = largest
        self._now = now
        self._connect = connect
        self._network = BoundedNetwork(now)
        trust = trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts no authority
        self._client = httpx.Client(
            transport=BoundedTransport(trust, self._network),
            trust_env=False,
            headers={"User-Agent": f"allowsync/{__version__}", "Accept-Encoding": "identity"},
        )

    def ask(self, request: HttpRequest, seconds: float, begins: float = inf) -> Response:
        """Put a request.

        Args:
            request: The request.
            seconds: How long it may take, to the last octet of the response.
            begins: How many seconds its response may take to begin, where that is less.

        Raises:
            NotSent: The server never saw it.
            NoResponse: There is no whole response in time.
            TooLarge: The response is larger than it may be.
        """
        ends, begins = self._now() + seconds, min(seconds, begins)
        try:
            with self._stream(request, begins, begins) as response:
                self._network.ends = ends
                return Response(response.status_code, response.headers, self._body(response))
        except _FAILURES as error:
            raise _understood(error) from None

    def lines(self, request: HttpRequest, idle: float, begins: float = inf) -> Iterator[Response]:
        """Put a request whose response goes on and on, line by line.

        Args:
            request: The request.
            idle: It ends where no whole line comes for so many seconds.
            begins: The same of the first line, where that is less.

        Raises:
            NotSent: The server never saw it.
            NoResponse: The connection broke, or the server ended it.
            TooLarge: A line is larger than a response may be.
        """
        try:
            with self._stream(request, min(idle, begins), idle) as response:
                for line in self._lines(response):
                    yield Response(response.status_code, response.headers, line)
                    self._network.ends = self._now() + idle
            raise NoResponse("the server ended it")
        except httpx.ReadTimeout:
            return
        except _FAILURES as error:
            raise _understood(error) from None

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _stream(
        self, request: HttpRequest, begins: float, pause: float
    ) -> AbstractContextManager[httpx.Response]:
        """A response that begins in time, and in which no pause is longer."""
        self._network.ends = self._now() + begins
        return self._client.stream(
            request.method,
            request.url,
            params=request.params,
            content=request.body or None,
            headers=request.headers,
            timeout=httpx.Timeout(pause, connect=min(self._connect, begins)),
            extensions={"sni_hostname": request.name} if request.name else {},
        )

    def _body(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self._largest:
                raise TooLarge(response.status_code, self._largest)
        return b"".join(parts)

    def _lines(self, response: httpx.Response) -> Iterator[bytes]:
        rest = b""
        for part in response.iter_bytes():
            *whole, rest = (rest + part).split(b"\n")
            yield from filter(None, whole)
            if len(rest) > self._largest:
                raise TooLarge(response.status_code, self._largest)
        if rest:
            yield rest


@cache
def authorities() -> ssl.SSLContext:
    """The public authorities, as certifi lists them.

    Read once, which takes as long as several requests.
    """
    return httpx.create_ssl_context(trust_env=False)


_IMPOSSIBLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_FAILURES: Final = (httpx.RequestError, httpx.InvalidURL, ValueError, OverflowError)


def _understood(error: Exception) -> HttpError:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return NotSent(abridge(str(error) or type(error).__name__, _LONGEST))
        case httpx.TimeoutException():
            return NoResponse("it did not come in time")
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return NoResponse("the connection broke")
        case httpx.RequestError() if not isinstance(error, _IMPOSSIBLE):
            return NoResponse(type(error).__name__)
        case _:
            # Of a port, a label of a name or a character that there is not: before any connection.
            return NotSent("its URL, or what is to be sent there, cannot be one")
