"""Connections with a deadline, however slowly their bytes arrive.

httpx limits each read separately: headers sent byte by byte, interim responses (RFC 9110
section 15.2), or compressed nothing could go on without end, and so could a peer that reads next to
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

_PIECE: Final = 1 << 14  # bytes per write: a TLS record (RFC 8446 section 5.1)


class BoundedNetwork(httpcore.NetworkBackend):
    """TCP connections with one common deadline.

    Args:
        now: Returns the time in seconds from any start.

    Attributes:
        ends: The deadline of all operations, by `now`.
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
        """Connect to a host."""
        timeout = self.left(timeout, httpcore.ConnectTimeout)
        stream = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _BoundedStream(stream, self)

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        """The remaining seconds, at most `timeout`. Raises `late` after the deadline."""
        seconds = self.ends - self._now()
        if seconds <= 0:
            raise late
        return seconds if timeout is None else min(timeout, seconds)


class BoundedTransport(httpx.HTTPTransport):
    """HTTP/1.1 over a bounded network. No public argument of httpx takes a network backend."""

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
