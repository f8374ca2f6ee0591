"""A TLS connection: a thread connects and does the handshake, then the loop writes and reads.

Python's `ssl` does the work. Connecting blocks, so it runs in a thread; reading and writing share
the loop, so that many questions are in flight over one connection.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import family_of, socket_address, unreachable
from allowsync.dns.transport.tls_context import broken, trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector

    from allowsync.dns.transport.workers import Workers
    from allowsync.model.nameserver import Nameserver

_CHUNK: Final = 65536
_LATER: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)

_Shaken: TypeAlias = "ssl.SSLSocket | Failure"


class Owner(Protocol):
    """Receives the events of a connection."""

    def secured(self, connection: TlsConnection) -> None:
        """Start writing: the nameserver is authenticated."""
        ...

    def received(self, connection: TlsConnection, data: bytes) -> None:
        """Receive bytes of the nameserver."""
        ...

    def ended(self, connection: TlsConnection, failure: Failure) -> None:
        """Handle the end of the connection; its kind is `STREAM` if the nameserver closed it."""
        ...


class TlsConnection:
    """One connection. Never raises; reports its end to its owner once.

    Attributes:
        ready: Whether the nameserver is authenticated. Nothing is sent before.
    """

    def __init__(
        self, nameserver: Nameserver, selector: BaseSelector, owner: Owner, timeout: float
    ) -> None:
        self.ready = False
        self._nameserver = nameserver
        self._selector = selector
        self._owner = owner
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._secure: ssl.SSLSocket | None = None
        self._unsent = b""
        self._mask = EVENT_READ
        self._over = False

    def start(self, workers: Workers) -> None:
        """Start connecting.

        Raises:
            OSError: No thread is available.
        """
        workers.run(self._connect, self._connected)

    def write(self, data: bytes) -> None:
        """Send bytes. The nameserver must be authenticated; a closed connection sends nothing."""
        self._unsent += data
        self._carefully(self._write)

    def close(self) -> None:
        """End the connection; nothing is reported afterwards."""
        if self._over:
            return
        self._over = True
        if self._secure is not None:
            self._selector.unregister(self._secure)
            with suppress(OSError, ValueError):  # close_notify (RFC 8446 section 6.1)
                self._secure.unwrap()
            self._secure.close()
        elif self._socket is not None:  # still the thread's, which is woken and closes it
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _connect(self) -> _Shaken:
        """Connect and do the handshake, in a thread. Closes the socket unless it returns it."""
        nameserver = self._nameserver
        address = nameserver.address.partition("%")[0]
        name = nameserver.name or address
        try:
            place = socket_address(nameserver)
            self._socket = socket.socket(family_of(address), socket.SOCK_STREAM)
            self._socket.settimeout(self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.connect(place)
        except OSError as error:
            self._close_own()
            return unreachable(nameserver, error)
        try:
            self._socket = secure = trust().wrap_socket(
                self._socket, server_hostname=name, do_handshake_on_connect=False
            )
            secure.do_handshake()
            secure.settimeout(0)
        except OSError as error:
            self._close_own()
            return broken(nameserver, name, error)
        return secure

    def _close_own(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _connected(self, outcome: _Shaken) -> None:
        if self._over:
            self._close_own()
        elif isinstance(outcome, Failure):
            self._over = True
            self._owner.ended(self, outcome)
        else:
            self.ready, self._secure = True, outcome
            self._selector.register(outcome, EVENT_READ, self._on_ready)
            self._owner.secured(self)
            self._on_ready(EVENT_READ)  # data right behind the handshake causes no event

    def _on_ready(self, _mask: int) -> None:
        self._carefully(self._write)
        self._carefully(self._read)

    def _carefully(self, step: Callable[[ssl.SSLSocket], None]) -> None:
        """Write or read as far as possible now; any error ends the connection."""
        if self._secure is None or self._over:  # closed while this event was on its way
            return
        try:
            step(self._secure)
        except _LATER:
            return
        except OSError as error:
            self.close()
            self._owner.ended(self, self._failure(error))

    def _read(self, secure: ssl.SSLSocket) -> None:
        while not self._over:
            data = secure.recv(_CHUNK)
            if not data:
                raise ssl.SSLZeroReturnError
            self._owner.received(self, data)

    def _write(self, secure: ssl.SSLSocket) -> None:
        with suppress(*_LATER):
            while self._unsent:
                self._unsent = self._unsent[secure.send(self._unsent) :]
        mask = EVENT_READ | (EVENT_WRITE if self._unsent else 0)
        if mask != self._mask:
            self._mask = mask
            self._selector.modify(secure, mask, self._on_ready)

    def _failure(self, error: OSError) -> Failure:
        if isinstance(error, ssl.SSLError) and not isinstance(
            error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)
        ):
            said = (error.reason or str(error)).lower().replace("_", " ")
            return Failure(FailureKind.STREAM, f"{self._nameserver} broke off TLS: {said}")
        if isinstance(error, (ssl.SSLError, ConnectionError)):
            what = f"{self._nameserver} closed the connection before the answer came"
            return Failure(FailureKind.STREAM, what)
        return unreachable(self._nameserver, error)
