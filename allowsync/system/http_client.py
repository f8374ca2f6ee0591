"""HTTP requests to servers of the configuration, limited in size and time.

The environment is ignored (`trust_env=False`): no proxy, no other certificates, no `.netrc`.
Redirects are not followed, so credentials are sent only to the requested URL.

Error texts quote no part of a request.
"""

from __future__ import annotations

import re
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
_LONGEST: Final = 200  # characters of an error's text
_NUMBER: Final = re.compile(r"^\[Errno -?\d+\] ")  # before its meaning


class HttpError(Exception):
    """There is no response. The text says why."""


class NotSent(HttpError):
    """No connection, or no valid URL: the server did not get the request."""


class NoResponse(HttpError):
    """The request was sent without a complete response: it may have been carried out."""


class TooLarge(HttpError):
    """A response is larger than allowed.

    Attributes:
        status: Its status.
    """

    def __init__(self, status: int, largest: int) -> None:
        super().__init__(f"it is larger than {largest // 2**20} MiB")
        self.status = status


class Response(NamedTuple):
    """The response to a request: a whole one, or a line of a stream."""

    status: int
    headers: Mapping[str, str]  # names are case-insensitive
    body: bytes


class HttpRequest(NamedTuple):
    """A request.

    Attributes:
        method: `GET`, for example.
        url: Its URL.
        headers: Further headers.
        body: Its body; empty for none.
        params: The query, after the `?`.
        name: The name in the server's certificate, if it is not that of the URL.
    """

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    params: Mapping[str, str] | None = None
    name: str = ""


class HttpClient:
    """Sends requests, one after the other, over persistent connections.

    Args:
        trust: The trusted authorities; None if none is needed, since all URLs are http://.
        largest: The largest body, in bytes.
        now: Returns the time in seconds from any start.
        connect: The time limit of a connection attempt, in seconds.
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
        trust = trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts no authority
        self._client = httpx.Client(
            transport=BoundedTransport(trust, self._network),
            trust_env=False,
            headers={"User-Agent": f"allowsync/{__version__}", "Accept-Encoding": "identity"},
        )

    def ask(self, request: HttpRequest, seconds: float, begins: float = inf) -> Response:
        """Send a request.

        Args:
            request: The request.
            seconds: The time limit, to the last byte of the response.
            begins: The time limit for the start of the response, in seconds, if it is less.

        Raises:
            NotSent: The server did not get it.
            NoResponse: There is no complete response in time.
            TooLarge: The response is larger than allowed.
        """
        ends, begins = self._now() + seconds, min(seconds, begins)
        try:
            with self._stream(request, begins, begins) as response:
                self._network.ends = ends
                return Response(response.status_code, response.headers, self._body(response))
        except _FAILURES as error:
            raise _understood(error) from None

    def lines(self, request: HttpRequest, idle: float, begins: float = inf) -> Iterator[Response]:
        """Send a request with an endless response, and yield it line by line.

        Args:
            request: The request.
            idle: The longest time without a complete line, in seconds; then it ends.
            begins: The same for the first line, if it is less.

        Raises:
            NotSent: The server did not get it.
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
        """A response that begins in time, with a limit for each pause."""
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
    """The public authorities, from certifi.

    Loaded once, which takes as long as several requests.
    """
    return httpx.create_ssl_context(trust_env=False)


_IMPOSSIBLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_FAILURES: Final = (httpx.RequestError, httpx.InvalidURL, ValueError, OverflowError)


def _understood(error: Exception) -> HttpError:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            said = _NUMBER.sub("", str(error)) or type(error).__name__
            return NotSent(abridge(said, _LONGEST))
        case httpx.TimeoutException():
            return NoResponse("it was not received in time")
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return NoResponse("the connection broke")
        case httpx.RequestError() if not isinstance(error, _IMPOSSIBLE):
            return NoResponse(type(error).__name__)
        case _:
            # An invalid port, label of a name or character: before any connection.
            return NotSent("its URL, or what is to be sent there, cannot be one")
