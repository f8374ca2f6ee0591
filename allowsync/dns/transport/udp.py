"""Questions over UDP: a pool of connected sockets to one nameserver.

A connected socket receives datagrams only from the address and port it asked, and learns at once
when the other side refuses (ICMP). Each is bound by the kernel to a random port, and
carries a limited number of questions, so that there is never one port to guess for many of them
(RFC 5452 section 9.2).
"""

from __future__ import annotations

import _socket
import os
from selectors import EVENT_READ

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.nameservers import family_of, socket_address, unreachable
from allowsync.dns.wire_query import Likeness, likeness, message
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectors import BaseSelector

    from allowsync.dns.query_state import Ask, Listener
    from allowsync.model.nameserver import Nameserver

POOL: Final = 16
QUESTIONS_PER_SOCKET: Final = 256
MAX_DATAGRAM: Final = 4096  # without EDNS, an answer has 512 bytes at most
AT_ONCE: Final = 64  # datagrams received before the other sockets are polled

FOREIGN: Final = Failure(FailureKind.GARBLED, "malformed answer: not to the question asked")
# The queue of the interface is full: the datagram is lost, as on the way.
_LOST_ON_THE_WAY: Final = (BlockingIOError, InterruptedError)


class DatagramChannel:
    """Asks one nameserver over UDP. Implements `Channel`."""

    def __init__(
        self, nameserver: Nameserver, selector: BaseSelector, listener: Listener, *, validate: bool
    ) -> None:
        self.listener = listener
        self._nameserver = nameserver
        self._selector = selector
        self._validate = validate
        self._pool: list[_Socket] = []
        self._by_ask: dict[Ask, _Socket] = {}
        self._open: set[_Socket] = set()

    @property
    def lacks(self) -> str:
        """The missing thing."""
        return "no answer"

    def send(self, ask: Ask) -> None:
        """Send a question, or send it again: the same bytes from the same socket.

        Another id for each re-send would give an attacker who guesses more to hit (RFC 5452, 5).
        """
        carrier = self._by_ask.get(ask)
        if carrier is None:
            try:
                carrier = self._carrier()
            except OSError as error:
                self.listener.failed(ask, unreachable(self._nameserver, error))
                return
            self._compose(ask, carrier)
        carrier.send(ask)

    def forget(self, ask: Ask) -> None:
        """Stop listening for answers to an ask; a late one will match nothing."""
        carrier = self._by_ask.pop(ask, None)
        if carrier is None:
            return
        del carrier.asks[ask.datagram[:2]]
        if not carrier.asks and carrier not in self._pool:
            self._close(carrier)

    def close(self) -> None:
        """Close every socket."""
        for carrier in tuple(self._open):
            self._close(carrier)
        self._pool.clear()
        self._by_ask.clear()

    def respell(self, ask: Ask) -> None:
        """Ask again in plain case, with a new id: the nameserver does not echo the case."""
        ask.server.echoes_case = False
        self.forget(ask)
        self.send(ask)

    def refused(self, carrier: _Socket, error: OSError) -> None:
        """Report that the peer of one socket refuses its questions."""
        failure = unreachable(self._nameserver, error)
        for ask in tuple(carrier.asks.values()):
            if ask.live and ask.stream is None:
                self.listener.failed(ask, failure)

    def _compose(self, ask: Ask, carrier: _Socket) -> None:
        ident = os.urandom(2)
        while ident in carrier.asks:
            ident = os.urandom(2)
        question = ask.inquiry.question
        section = question.mixed() if ask.server.echoes_case else question.section
        ask.datagram = message(ident, section, validate=self._validate)
        carrier.asks[ident] = ask
        carrier.carried += 1
        self._by_ask[ask] = carrier
        if carrier.carried >= QUESTIONS_PER_SOCKET:
            self._pool.remove(carrier)

    def _carrier(self) -> _Socket:
        """Return a socket to send a new question from.

        Raises:
            OSError: None is open and none can be opened.
        """
        if len(self._pool) < POOL:
            try:
                return self._opened()
            except OSError:
                if not self._pool:
                    raise
        return self._pool[os.urandom(1)[0] % len(self._pool)]

    def _opened(self) -> _Socket:
        carrier = _Socket(self._nameserver, self)
        self._selector.register(carrier.socket, EVENT_READ, carrier.receive)
        self._pool.append(carrier)
        self._open.add(carrier)
        return carrier

    def _close(self, carrier: _Socket) -> None:
        self._open.discard(carrier)
        self._selector.unregister(carrier.socket)
        carrier.socket.close()


class _Socket:
    """One socket of a pool, and the questions sent by it, by id."""

    __slots__ = ("_channel", "asks", "carried", "socket")

    def __init__(self, nameserver: Nameserver, channel: DatagramChannel) -> None:
        self.asks: dict[bytes, Ask] = {}
        self.carried = 0
        self._channel = channel
        kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK
        self.socket = _socket.socket(family_of(nameserver.address), kind)
        try:
            self.socket.connect(socket_address(nameserver))
        except OSError:
            self.socket.close()
            raise

    def send(self, ask: Ask) -> None:
        try:
            self.socket.send(ask.datagram)
        except _LOST_ON_THE_WAY:
            return
        except OSError as error:
            self._channel.refused(self, error)

    def receive(self, _mask: int) -> None:
        """Receive what has arrived."""
        for _ in range(AT_ONCE):
            try:
                wire = self.socket.recv(MAX_DATAGRAM)
            except _LOST_ON_THE_WAY:
                return
            except OSError as error:
                self._channel.refused(self, error)
                return
            self._sort(wire)

    def _sort(self, wire: bytes) -> None:
        """Report the answer to one of the questions; ignore everything else."""
        ask = self.asks.get(wire[:2])
        if ask is None:
            return
        match likeness(wire, ask.datagram[12:]):
            case Likeness.SAME | Likeness.BARE:
                self._channel.listener.heard(ask, wire)
            case Likeness.CASE if ask.datagram[12:] == ask.inquiry.question.section:
                self._channel.listener.heard(ask, wire)  # asked in plain case: case proves nothing
            case Likeness.CASE:
                self._channel.respell(ask)
            case Likeness.OTHER:
                self._channel.listener.noticed(ask, FOREIGN)
