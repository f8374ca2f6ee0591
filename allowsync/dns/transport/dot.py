"""DNS over TLS (RFC 7858): every question to one nameserver goes over one connection.

Questions are pipelined and answers accepted in any order (RFC 7766 section 6.2.1). A nameserver may
close a connection at any time: unanswered questions are asked again over another one, as long as
that makes progress.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import unreachable
from allowsync.dns.transport.tcp import LENGTH, framed
from allowsync.dns.transport.tls_connection import TlsConnection
from allowsync.dns.transport.udp import FOREIGN
from allowsync.dns.transport.workers import Workers
from allowsync.dns.wire_query import Likeness, likeness, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from selectors import BaseSelector

    from allowsync.dns.query_state import Ask, Listener
    from allowsync.model.nameserver import Nameserver

# Connections in a row that end without an answer …
STRIKES: Final = 2  # … until their questions are not asked again at once
BARREN: Final = 10  # … and until the nameserver is given up for the rest of the run


class TlsChannel:
    """Asks one nameserver over TLS only. Implements `Channel`."""

    def __init__(
        self,
        nameserver: Nameserver,
        selector: BaseSelector,
        listener: Listener,
        *,
        timeout: float,
        validate: bool,
    ) -> None:
        self._nameserver = nameserver
        self._selector = selector
        self._listener = listener
        self._timeout = timeout
        self._validate = validate
        self._workers = Workers(selector)
        self._asks: dict[bytes, Ask] = {}
        self._stream: TlsConnection | None = None
        self._received = b""
        self._hopeless: Failure | None = None
        self._answered = False
        self._strikes = 0

    @property
    def lacks(self) -> str:
        """The missing thing."""
        if self._stream is None or self._stream.ready:
            return f"no answer over TLS from {self._nameserver}"
        return f"no TLS connection with {self._nameserver}"

    def send(self, ask: Ask) -> None:
        """Send a question, or send it again: the same bytes.

        A nameserver may lose a question although the connection stays up.
        """
        if self._hopeless is not None:
            self._listener.failed(ask, self._hopeless)
            return
        if self._asks.get(ask.datagram[:2]) is ask:
            self._write(ask)
            return
        self._compose(ask)
        if self._stream is None:
            self._connect()
        else:
            self._write(ask)

    def forget(self, ask: Ask) -> None:
        """Stop listening for answers to an ask; a late one will match nothing."""
        if self._asks.get(ask.datagram[:2]) is ask:
            del self._asks[ask.datagram[:2]]

    def close(self) -> None:
        """Close the connection."""
        self._asks.clear()
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._workers.close()

    def secured(self, stream: TlsConnection) -> None:
        """Send all questions that waited for the handshake."""
        if stream is self._stream:
            stream.write(b"".join(framed(ask.datagram) for ask in self._asks.values()))

    def received(self, stream: TlsConnection, data: bytes) -> None:
        """Read received data."""
        if stream is self._stream:
            self._received += data
            for wire in self._messages():
                self._sort(wire)

    def ended(self, stream: TlsConnection, failure: Failure) -> None:
        """Ask again over another connection, or give up the questions of this one."""
        if stream is not self._stream:
            return
        self._stream, self._received = None, b""
        open_asks = [ask for ask in self._asks.values() if ask.live]
        self._asks.clear()
        self._strikes = 0 if self._answered else self._strikes + 1
        if failure.kind is FailureKind.UNTRUSTED or self._strikes >= BARREN:
            self._hopeless = failure
        closed_in_use = stream.ready and failure.kind is FailureKind.STREAM
        if open_asks and closed_in_use and self._strikes < STRIKES:
            self._ask_again(open_asks, failure)
            return
        for ask in open_asks:
            self._listener.failed(ask, failure)

    def _ask_again(self, asks: list[Ask], failure: Failure) -> None:
        """Ask the question that waited longest last: it may be what ends the connections."""
        suspect, *others = asks
        if self._strikes:
            self._listener.failed(suspect, failure)
            asks = others
        else:
            asks = [*others, suspect]
        for ask in asks:
            self._compose(ask)
        if self._asks and self._stream is None:
            self._connect()

    def _connect(self) -> None:
        """Open a connection for all open questions."""
        self._answered = False
        try:
            self._stream = TlsConnection(self._nameserver, self._selector, self, self._timeout)
            self._stream.start(self._workers)
        except OSError as error:
            self._stream = None
            self._fail_all(unreachable(self._nameserver, error))

    def _fail_all(self, failure: Failure) -> None:
        asks = list(self._asks.values())
        self._asks.clear()
        for ask in asks:
            self._listener.failed(ask, failure)

    def _compose(self, ask: Ask) -> None:
        ident = os.urandom(2)
        while ident in self._asks:
            ident = os.urandom(2)
        # A peer that completed a handshake is no blind guesser: mixed case would prove nothing.
        ask.datagram = message(ident, ask.inquiry.question.section, validate=self._validate)
        self._asks[ident] = ask

    def _write(self, ask: Ask) -> None:
        if self._stream is not None and self._stream.ready:
            self._stream.write(framed(ask.datagram))

    def _messages(self) -> Iterator[bytes]:
        """Yield every whole message of the received data."""
        data, start = self._received, 0
        while len(data) >= start + LENGTH:
            end = start + LENGTH + int.from_bytes(data[start : start + LENGTH], "big")
            if end > len(data):
                break
            yield data[start + LENGTH : end]
            start = end
        if self._stream is not None:
            self._received = data[start:]

    def _sort(self, wire: bytes) -> None:
        """Report the answer to one of the questions; ignore everything else."""
        ask = self._asks.get(wire[:2])
        if ask is None:
            return
        if likeness(wire, ask.inquiry.question.section) is Likeness.OTHER:
            self._listener.noticed(ask, FOREIGN)
            return
        self.forget(ask)
        self._answered = True
        self._listener.heard_over_stream(ask, wire)
