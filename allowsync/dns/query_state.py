"""The state of a resolver run: nameservers, queries in flight, and their attempts."""

from __future__ import annotations

from collections import deque
from math import inf

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.dns.failure import Failure
    from allowsync.dns.wire_query import WireQuestion
    from allowsync.model.answer import Answer
    from allowsync.model.nameserver import Nameserver
    from allowsync.model.types import Query

WINDOW: Final = 100  # in flight per nameserver; a stock dnsmasq refuses above 150
LAPSES: Final = 3  # unanswered questions after which a nameserver that never answered is put last


class Job(Value):
    """A query and the nameservers for it, the preferred first. At least one."""

    query: Query
    nameservers: tuple[Nameserver, ...]


class Conversation(Protocol):
    """An exchange that runs until it reports its end, or is closed."""

    def close(self) -> None:
        """End it. Nothing is reported afterwards."""
        ...


class Channel(Protocol):
    """A way to put questions to one nameserver: UDP, TLS or HTTPS.

    A channel reports the outcome of an ask to its `Listener`; it never raises.
    """

    @property
    def lacks(self) -> str:
        """The missing thing, for the message of a timeout: `no answer`."""
        ...

    def send(self, ask: Ask) -> None:
        """Send a question. For an ask sent before: the identical message once more."""
        ...

    def forget(self, ask: Ask) -> None:
        """Stop listening for answers to an ask."""
        ...

    def close(self) -> None:
        """Close every socket."""
        ...


class Listener(Protocol):
    """Receives the outcomes of asks."""

    def heard(self, ask: Ask, wire: bytes) -> None:
        """Receive a message with the right id and question, not read any further."""
        ...

    def heard_over_stream(self, ask: Ask, wire: bytes) -> None:
        """Receive one over a connection: this nameserver has no better answer to come."""
        ...

    def noticed(self, ask: Ask, failure: Failure) -> None:
        """Receive a message that is no answer. Waiting goes on; it may explain the silence."""
        ...

    def failed(self, ask: Ask, failure: Failure) -> None:
        """Handle the failure of an ask, or an unreachable nameserver."""
        ...


class Server:
    """The state of one nameserver during a run.

    Attributes:
        nameserver: The nameserver.
        order: Its place in the configuration.
        channel: The transport to it.
        window: The limit of questions in flight.
        in_flight: The number of questions sent and not answered.
        waiting: The queries that wait for room in the window.
        answered: Whether it ever answered.
        lapses: The number of questions that moved to another attempt without an answer from it.
        unreachable: The network reported it unreachable, and it did not answer since.
        echoes_case: Whether it repeats the question with the case of its letters unchanged.
        reading_time: The time spent reading its answers so far, in seconds.
    """

    __slots__ = (
        "answered",
        "channel",
        "echoes_case",
        "in_flight",
        "lapses",
        "nameserver",
        "order",
        "reading_time",
        "unreachable",
        "waiting",
        "window",
    )

    def __init__(
        self, nameserver: Nameserver, order: int, channel: Channel, window: int = WINDOW
    ) -> None:
        self.nameserver = nameserver
        self.order = order
        self.channel = channel
        self.window = window
        self.in_flight = 0
        self.waiting: deque[Inquiry] = deque()
        self.answered = False
        self.lapses = 0
        self.unreachable = False
        self.echoes_case = True
        self.reading_time = 0.0

    @property
    def has_room(self) -> bool:
        """Whether one more question may be in flight."""
        return self.in_flight < self.window

    @property
    def put_last(self) -> bool:
        """Whether other nameservers are preferred for the rest of the run."""
        return self.unreachable or (self.lapses >= LAPSES and not self.answered)


class Ask:
    """One query sent to one nameserver, any number of times.

    Attributes:
        inquiry: The query's own state.
        server: The nameserver.
        expires: The end of waiting for an answer, by `time.monotonic`.
        live: Whether an answer is still expected.
        holds_room: Whether it counts as in flight.
        times: The number of times it was sent.
        messages: The number of messages received for it.
        stream: The TCP connection it continues on.
        datagram: The message, once the channel has composed it.
    """

    __slots__ = (
        "datagram",
        "expires",
        "holds_room",
        "inquiry",
        "live",
        "messages",
        "server",
        "stream",
        "times",
    )

    def __init__(self, inquiry: Inquiry, server: Server, *, live: bool = False) -> None:
        self.inquiry = inquiry
        self.server = server
        self.expires = 0.0
        self.live = live
        self.holds_room = False
        self.times = 0
        self.messages = 0
        self.stream: Conversation | None = None
        self.datagram = b""


class Inquiry:
    """A query until it is settled.

    Attributes:
        query: The query.
        question: Its wire form.
        servers: The nameservers that may be asked.
        answer: The outcome; None until it is settled.
        attempts: The number of times it was sent, over all nameservers.
        asks: The attempts by nameserver.
        closed: Nameservers where a retry is useless.
        failures: The failures so far.
        queued: Whether it waits for room in a nameserver's window.
        unread: The number of received messages not read yet.
        next_at: The time of the next attempt; infinite when there is none.
        place: Its index among the queries of the call.
        wakes_at: The time its timer is due, to tell that from timers set before.
    """

    __slots__ = (
        "answer",
        "asks",
        "attempts",
        "closed",
        "failures",
        "next_at",
        "place",
        "query",
        "question",
        "queued",
        "servers",
        "unread",
        "wakes_at",
    )

    def __init__(
        self,
        query: Query,
        question: WireQuestion,
        servers: Sequence[Server],
        answer: Answer | None = None,
        *,
        place: int = 0,
    ) -> None:
        self.query = query
        self.place = place
        self.question = question
        self.servers = servers
        self.answer = answer
        self.attempts = 0
        self.asks: dict[Server, Ask] = {}
        self.closed: set[Server] = set()
        self.failures: list[Failure] = []
        self.queued = False
        self.unread = 0
        self.next_at = inf
        self.wakes_at = inf

    @property
    def live(self) -> list[Ask]:
        """The asks that still expect an answer."""
        return [ask for ask in self.asks.values() if ask.live]

    def note(self, failure: Failure) -> None:
        """Record a failure, once."""
        if failure not in self.failures:
            self.failures.append(failure)

    def preferred(self) -> Server | None:
        """Return the nameserver to ask next; None without any.

        The least asked first, and being put last counts as having been asked once. A nameserver
        that is answering over TCP is not asked again.
        """
        free = [s for s in self.servers if s not in self.closed and not self._is_streaming(s)]
        return min(free, key=self._preference, default=None)

    def _is_streaming(self, server: Server) -> bool:
        ask = self.asks.get(server)
        return ask is not None and ask.stream is not None

    def _preference(self, server: Server) -> tuple[int, bool, int]:
        last = server.put_last
        return (self.times_asked(server) + last, last, server.order)

    def times_asked(self, server: Server) -> int:
        """Return how often the query was sent to a nameserver."""
        ask = self.asks.get(server)
        return 0 if ask is None else ask.times
