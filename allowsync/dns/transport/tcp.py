"""One question over TCP, for an answer that did not fit into a datagram (RFC 7766)."""

from __future__ import annotations

import errno
import os
import socket
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Final

from allowsync.dns.failure import Failure, Kind
from allowsync.dns.nameservers import family_of, socket_address, unreachable
from allowsync.dns.wire_query import Likeness, likeness, message

if TYPE_CHECKING:
    from selectors import BaseSelector

    from allowsync.dns.query_state import Ask, Listener

_LENGTH: Final = 2  # octets before each message (RFC 1035 section 4.2.2)
_CHUNK: Final = 65536


class Stream:
    """Connects, asks, and tells its listener once how it ended. Never blocks, never raises.

    How long that may take is not its business: the engine closes it when the ask's time is up.
    """

    def __init__(
        self, ask: Ask, selector: BaseSelector, listener: Listener, *, validate: bool
    ) -> None:
        self._ask = ask
        self._selector = selector
        self._listener = listener
        section = ask.inquiry.question.section
        query = message(os.urandom(2), section, validate=validate)
        self._ident, self._section = query[:_LENGTH], section
        self._unsent = len(query).to_bytes(_LENGTH, "big") + query
        self._received = b""
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Begin to connect."""
        nameserver = self._ask.server.nameserver
        try:
            sock = socket.socket(
                family_of(nameserver.address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK
            )
            self._socket = sock
            self._selector.register(sock, EVENT_WRITE, self._on_ready)
            code = sock.connect_ex(socket_address(nameserver))
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
        except OSError as error:
            self._fail(unreachable(nameserver, error).reason + " over TCP")

    def close(self) -> None:
        """End the connection; nothing is told any more."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _on_ready(self, mask: int) -> None:
        if self._socket is None:  # closed while this event was on its way
            return
        try:
            if mask & EVENT_WRITE:
                self._write(self._socket)
            else:
                self._read(self._socket)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fail(unreachable(self._ask.server.nameserver, error).reason + " over TCP")

    def _write(self, sock: socket.socket) -> None:
        if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        self._unsent = self._unsent[sock.send(self._unsent) :]
        if not self._unsent:
            self._selector.modify(sock, EVENT_READ, self._on_ready)

    def _read(self, sock: socket.socket) -> None:
        chunk = sock.recv(_CHUNK)
        self._received += chunk
        while (wire := self._next_message()) is not None:
            if self._answers(wire):
                self.close()
                self._listener.heard_over_stream(self._ask, wire)
                return
        if not chunk:
            self._fail("the TCP connection ended before the answer did")

    def _next_message(self) -> bytes | None:
        """Take the first whole message off what was received."""
        end = _LENGTH + int.from_bytes(self._received[:_LENGTH], "big")
        if len(self._received) < max(end, _LENGTH):
            return None
        wire, self._received = self._received[_LENGTH:end], self._received[end:]
        return wire

    def _answers(self, wire: bytes) -> bool:
        # A peer that completed a handshake is no blind guesser: the case of letters proves nothing.
        return wire[:2] == self._ident and likeness(wire, self._section) is not Likeness.OTHER

    def _fail(self, reason: str) -> None:
        self.close()
        self._listener.failed(self._ask, Failure(Kind.STREAM, reason))
