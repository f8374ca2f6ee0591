"""Connections that end in time, however little at a time comes over them.

httpx bounds each read for itself: headers that come octet by octet, interim responses (RFC 9110
section 15.2), or compressed nothing go on without an end, and so does a reader that takes next to
nothing.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from httpcore import SOCKET_OPTION

_PIECE: Final = 1 << 14  # octets written at once: a record of TLS (RFC 8446 section 5.1)


class BoundedNetwork(httpcore.NetworkBackend):
    """Connections by TCP, all within one instant.

    Args:
        now: The time in seconds from any start.

    Attributes:
        ends: When whatever is under way times out, by `now`.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.ends = inf
        self._now = now
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection."""
        timeout = self.left(timeout, httpcore.ConnectTimeout)
        stream = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _BoundedStream(stream, self)

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        """How many seconds may be waited, at most `timeout`. Raises `late`: none."""
        seconds = self.ends - self._now()
        if seconds <= 0:
            raise late
        return seconds if timeout is None else min(timeout, seconds)


class BoundedTransport(httpx.HTTPTransport):
    """Requests over a bounded network, by HTTP/1.1. No public argument of httpx hands one on."""

    def __init__(self, trust: ssl.SSLContext, network: BoundedNetwork) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore.ConnectionPool(ssl_context=trust, network_backend=network)


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, network: BoundedNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._network.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            seconds = self._network.left(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + _PIECE], seconds)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._network.left(timeout, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _BoundedStream(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()
