"""One connection to a DoH server, which speaks whichever HTTP the two agree on (RFC 7301).

What is said over it is left to `http1` or `http2`. Those read and write a protocol and do no input
or output of their own, so that HTTPS runs in the same loop, under the same deadline and with the
same look at certificates as everything else.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from allowsync.dns.failure import Failure, Kind
from allowsync.dns.transport.doh_codec import Answered, Cut, Ended, Refused, Resource, Speech
from allowsync.dns.transport.tls_stream import Endpoint, SecureStream

if TYPE_CHECKING:
    from collections.abc import Collection
    from selectors import BaseSelector

    from allowsync.dns.query_state import Ask

HTTP1: Final = "http/1.1"
HTTP2: Final = "h2"


def spoken() -> tuple[str, ...]:
    """The versions of HTTP that can be spoken here, as ALPN names them, the preferred first."""
    return (HTTP2, HTTP1) if find_spec("h2") is not None else (HTTP1,)


class Asker(Protocol):
    """Who is told what comes of an exchange."""

    def free(self, exchange: Exchange) -> None:
        """There may be room for questions now."""
        ...

    def answered(self, ask: Ask, wire: bytes) -> None:
        """The server answered with a DNS message."""
        ...

    def failed(self, ask: Ask, failure: Failure) -> None:
        """The question came to nothing."""
        ...

    def cut(self, exchange: Exchange, ask: Ask, failure: Failure) -> None:
        """The question was not answered, which need not be its own fault."""
        ...

    def lost(self, exchange: Exchange, failure: Failure) -> None:
        """The connection is closed. What was under way has been told."""
        ...


class Exchange:
    """A connection that is asked questions. Never blocks, never raises."""

    def __init__(
        self, endpoint: Endpoint, resource: Resource, selector: BaseSelector, asker: Asker
    ) -> None:
        self.endpoint = endpoint
        self._resource = resource
        self._asker = asker
        self._stream = SecureStream(endpoint, selector, self)
        self._speech: Speech | None = None
        self._over = False

    @property
    def ready(self) -> bool:
        """Whether the server has proven who it is, and questions can be put."""
        return self._speech is not None

    @property
    def asks(self) -> Collection[Ask]:
        """What is under way."""
        return () if self._speech is None else self._speech.asks

    @property
    def multiplexes(self) -> bool:
        """Whether many questions can be under way at once."""
        return self._stream.protocol == HTTP2

    @property
    def has_room(self) -> bool:
        """Whether one more question can be put."""
        return self._speech is not None and self._speech.has_room and not self._over

    @property
    def closing(self) -> bool:
        """Whether it takes no more questions, ever."""
        return self._speech is not None and self._speech.closing

    @property
    def window(self) -> int:
        """How many questions make sense to have under way with this server."""
        return 1 if self._speech is None else self._speech.window

    @property
    def useful(self) -> bool:
        """Whether it has brought some question nearer to its answer."""
        return self._speech is not None and self._speech.useful

    def start(self) -> None:
        """Begin to connect."""
        self._stream.start()
        if HTTP2 in self.endpoint.protocols:
            # While the connection is being made: it takes as long as some round trips.
            pass

    def put(self, ask: Ask) -> None:
        """Ask the question that the ask holds as a datagram. There has to be room."""
        if self._speech is not None:
            self._speech.put(ask)
            self._stream.write(self._speech.to_send())

    def forget(self, ask: Ask) -> bool:
        """Give up a question that is under way; whether the connection is still of use."""
        if self._speech is None or not self._speech.forget(ask):
            return False
        self._stream.write(self._speech.to_send())
        return True

    def close(self) -> None:
        """Close the connection; nothing is told any more."""
        self._over = True
        self._stream.close()

    def secured(self, stream: SecureStream) -> None:
        """Speak what was agreed on. A server that agrees on nothing speaks HTTP/1.1."""
        to = self.endpoint
        if stream.protocol == HTTP2:
            from allowsync.dns.transport.http2 import Http2

            self._speech = Http2(str(to.nameserver), self._resource)
        else:
            from allowsync.dns.transport.http1 import Http1

            alone = HTTP2 not in to.protocols
            self._speech = Http1(str(to.nameserver), self._resource, alone=alone)
        self._asker.free(self)

    def received(self, _stream: SecureStream, data: bytes) -> None:
        """Take in what came, and tell what it means."""
        speech = self._speech
        if speech is None:
            return
        for outcome in speech.receive(data):
            match outcome:
                case Answered(ask, wire):
                    self._asker.answered(ask, wire)
                case Refused(ask, failure):
                    self._asker.failed(ask, failure)
                case Cut(ask, failure):
                    self._asker.cut(self, ask, failure)
                case Ended(failure):
                    self._give_up(failure)
                    return
                case _:
                    assert_never(outcome)
        if self._over:  # of no use any more, after what was told
            return
        self._stream.write(speech.to_send())
        if speech.closing and not speech.asks:
            self.close()
            self._asker.lost(self, Failure(Kind.STREAM, f"{self.endpoint.nameserver} is done"))
        else:
            self._asker.free(self)

    def ended(self, _stream: SecureStream, failure: Failure) -> None:
        """Tell that the connection is closed, and which questions that was unfair to."""
        self._over = True
        speech = self._speech
        for ask in tuple(self.asks):
            if speech is not None and speech.repeatable and failure.kind is Kind.STREAM:
                self._asker.cut(self, ask, failure)
            else:
                self._asker.failed(ask, failure)
        self._asker.lost(self, failure)

    def _give_up(self, failure: Failure) -> None:
        if self._speech is not None:
            self._stream.write(self._speech.to_send())  # tells the other side why
        self.close()
        for ask in tuple(self.asks):
            self._asker.failed(ask, failure)
        self._asker.lost(self, failure)
