"""A TLS connection to a nameserver that never blocks: bytes in, bytes out, and how it ended."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from allowsync.dns.failure import Failure, Kind
from allowsync.dns.nameservers import unreachable
from allowsync.dns.transport.tls_context import distrust, trust
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector

    from allowsync.dns.nameservers import SocketAddress
    from allowsync.model.nameserver import Nameserver

T = TypeVar("T")

_CHUNK: Final = 65536
_GONE: Final = (ConnectionResetError, BrokenPipeError)


class Endpoint(Value):
    """Where to connect to, and who has to be there.

    Attributes:
        nameserver: As the configuration names it, for messages.
        family: The socket family of `place`.
        place: The address and port.
        name: The name or address that the certificate has to be good for.
        protocols: What may be spoken, as ALPN names it (RFC 7301), the preferred first.
    """

    nameserver: Nameserver
    family: socket.AddressFamily
    place: SocketAddress
    name: str
    protocols: tuple[str, ...] = ()


class Owner(Protocol):
    """Who is told what a connection brings."""

    def secured(self, stream: SecureStream) -> None:
        """The nameserver has proven who it is: it can be written to."""
        ...

    def received(self, stream: SecureStream, data: bytes) -> None:
        """The nameserver, and nobody else, sent these bytes."""
        ...

    def ended(self, stream: SecureStream, failure: Failure) -> None:
        """The connection is closed; its kind is `STREAM` where the nameserver just closed it."""
        ...


class SecureStream:
    """One connection. Never blocks, never raises; tells its owner once how it ended.

    How long anything may take is not its business: the engine gives up on what takes too long.

    Attributes:
        ready: Whether the nameserver has proven who it is. Nothing is sent before.
        protocol: What was agreed on of the protocols that were offered; empty where nothing was.
    """

    def __init__(self, endpoint: Endpoint, selector: BaseSelector, owner: Owner) -> None:
        self.ready = False
        self.protocol = ""
        self._endpoint = endpoint
        self._selector = selector
        self._owner = owner
        self._socket: socket.socket | None = None
        self._connected = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._unsent = b""
        self._mask = EVENT_WRITE

    def start(self) -> None:
        """Begin to connect."""
        to = self._endpoint
        try:
            sock = socket.socket(to.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._socket = sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(sock, EVENT_WRITE, self._on_ready)
            code = sock.connect_ex(to.place)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            # The certificates of this system are read while the connection is being made.
            context = trust(to.protocols)
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=to.name)
        except OSError as error:
            self._end(self._unreachable(error))

    def write(self, data: bytes) -> None:
        """Send bytes. The nameserver must have proven who it is; what is closed sends nothing."""
        if data and self.ready and self._tls is not None and self._socket is not None:
            self._carefully(self._tls.write, data)

    def close(self) -> None:
        """End the connection; nothing is told any more."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        with suppress(OSError, ValueError):  # a farewell (RFC 8446 section 6.1) if there is time
            if self._tls is not None and self.ready:
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                sock.send(self._unsent + self._outgoing.read())
        with suppress(KeyError):
            self._selector.unregister(sock)
        sock.close()

    def _on_ready(self, mask: int) -> None:
        if self._socket is not None:  # closed while this event was on its way
            self._carefully(self._advance, mask)

    def _carefully(self, step: Callable[[T], object], argument: T) -> None:
        """Take a step and send what comes of it; whatever goes wrong ends the connection."""
        try:
            step(argument)
            self._flush()
        except (BlockingIOError, InterruptedError):
            return
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, *_GONE):
            self._end(self._closed())
        except ssl.SSLError as error:
            self._end(self._spoilt(error))
        except OSError as error:
            self._end(self._unreachable(error))

    def _advance(self, mask: int) -> None:
        sock, tls = self._socket, self._tls
        if sock is None or tls is None:
            return
        if not self._connected:
            if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, os.strerror(code))
            self._connected = True
        if mask & EVENT_READ:
            chunk = sock.recv(_CHUNK)
            self._incoming.write(chunk) if chunk else self._incoming.write_eof()
        with suppress(ssl.SSLWantReadError):
            if not self.ready:
                self._shake_hands(tls)
            self._read(tls)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        try:
            tls.do_handshake()
        except ssl.SSLCertVerificationError:
            with suppress(OSError):  # tells the other side why
                self._flush()
            raise
        self.ready = True
        self.protocol = tls.selected_alpn_protocol() or ""
        self._owner.secured(self)

    def _read(self, tls: ssl.SSLObject) -> None:
        """Hand on everything that came; ends by one of the errors of `SSLObject.read`."""
        while self._socket is not None:
            data = tls.read(_CHUNK)
            if not data:
                raise ssl.SSLZeroReturnError
            self._owner.received(self, data)

    def _flush(self) -> None:
        """Send what there is to send, and wait for what is to be waited for."""
        sock = self._socket
        if sock is None or not self._connected:
            return
        self._unsent += self._outgoing.read()
        if self._unsent:
            with suppress(BlockingIOError, InterruptedError):
                self._unsent = self._unsent[sock.send(self._unsent) :]
        mask = EVENT_READ | (EVENT_WRITE if self._unsent else 0)
        if mask != self._mask:
            self._mask = mask
            self._selector.modify(sock, mask, self._on_ready)

    def _end(self, failure: Failure) -> None:
        self.close()
        self._owner.ended(self, failure)

    def _closed(self) -> Failure:
        nameserver = self._endpoint.nameserver
        if not self._connected:
            return Failure(Kind.UNREACHABLE, f"cannot reach {nameserver}: the connection was reset")
        when = "before the answer came" if self.ready else "in the middle of the TLS handshake"
        return Failure(Kind.STREAM, f"{nameserver} closed the connection {when}")

    def _spoilt(self, error: ssl.SSLError) -> Failure:
        if not self.ready:
            to = self._endpoint
            return distrust(to.nameserver, to.name, error, to.protocols)
        said = (error.reason or str(error)).lower().replace("_", " ")
        return Failure(Kind.STREAM, f"{self._endpoint.nameserver} broke off TLS: {said}")

    def _unreachable(self, error: OSError) -> Failure:
        return unreachable(self._endpoint.nameserver, error)
