"""One question over TCP, for an answer that did not fit into a datagram (RFC 7766)."""

from __future__ import annotations

import _socket
import os
from contextlib import suppress

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import family_of, socket_address, unreachable
from allowsync.dns.wire_query import Likeness, likeness, message
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from allowsync.dns.query_state import Ask, Listener
    from allowsync.dns.transport.workers import Workers

LENGTH: Final = 2  # octets before each message (RFC 1035 section 4.2.2)
_ENDED: Final = "the TCP connection ended before the answer did"


def framed(wire: bytes) -> bytes:
    """Return a message preceded by its length."""
    return len(wire).to_bytes(LENGTH, "big") + wire


class Stream:
    """Asks in a thread, and reports its end to its listener once.

    Args:
        ask: The ask to send.
        workers: The pool of threads.
        listener: Receives the outcome.
        timeout: The limit of each step; the loop closes an exchange that takes longer in all.
        validate: Ask for the AD bit.
    """

    def __init__(
        self, ask: Ask, workers: Workers, listener: Listener, *, timeout: float, validate: bool
    ) -> None:
        self._ask = ask
        self._workers = workers
        self._listener = listener
        self._timeout = timeout
        self._section = ask.inquiry.question.section
        self._query = message(os.urandom(2), self._section, validate=validate)
        self._socket: _socket.socket | None = None
        self._over = False

    def start(self) -> None:
        """Start asking."""
        try:
            family = family_of(self._ask.server.nameserver.address)
            self._socket = _socket.socket(family, _socket.SOCK_STREAM)
            self._workers.run(self._exchange, self._done)
        except OSError as error:
            self._done(self._unreachable(error))
        except RuntimeError as error:
            self._done(str(error))

    def close(self) -> None:
        """End the connection; nothing is reported afterwards."""
        self._over = True
        sock, self._socket = self._socket, None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(_socket.SHUT_RDWR)  # wakes the thread
            sock.close()

    def _exchange(self) -> bytes | str:
        """Return the answer, or the reason for its lack. Runs in a thread."""
        sock = self._socket
        if sock is None:
            return _ENDED
        try:
            sock.settimeout(self._timeout)
            sock.connect(socket_address(self._ask.server.nameserver))
            sock.sendall(framed(self._query))
            return self._answer(sock)
        except OSError as error:
            return self._unreachable(error)

    def _answer(self, sock: _socket.socket) -> bytes | str:
        """Return the first message that answers the question."""
        while len(head := _read(sock, LENGTH)) == LENGTH:
            size = int.from_bytes(head, "big")
            wire = _read(sock, size)
            if len(wire) < size:
                break
            # A peer that completed a handshake is no blind guesser: mixed case proves nothing.
            right = wire[:2] == self._query[:2]
            if right and likeness(wire, self._section) is not Likeness.OTHER:
                return wire
        return _ENDED

    def _done(self, outcome: bytes | str) -> None:
        if self._over:
            return
        self.close()
        if isinstance(outcome, bytes):
            self._listener.heard_over_stream(self._ask, outcome)
        else:
            self._listener.failed(self._ask, Failure(FailureKind.STREAM, outcome))

    def _unreachable(self, error: OSError) -> str:
        return unreachable(self._ask.server.nameserver, error).reason + " over TCP"


def _read(sock: _socket.socket, size: int) -> bytes:
    """Read that many octets; fewer where the connection ends before."""
    text = b""
    while len(text) < size and (more := sock.recv(size - len(text))):
        text += more
    return text
