"""What a run knows while it asks: nameservers, queries under way, and the attempts at them."""

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
LAPSES: Final = 3  # unanswered questions after which a nameserver never heard of is put last


class Job(Value):
    """A query and the nameservers that may be asked, the preferred first. At least one."""

    query: Query
    nameservers: tuple[Nameserver, ...]


class Conversation(Protocol):
    """What goes on until it has told how it ended, or is closed."""

    def close(self) -> None:
        """End it. Nothing is told any more."""
        ...


class Channel(Protocol):
    """A way to put questions to one nameserver: UDP, TLS or HTTPS.

    A channel tells what becomes of an ask through its `Listener`; it never raises.
    """

    @property
    def lacks(self) -> str:
        """What has not come yet, for the message about waiting in vain: `no answer`."""
        ...

    def send(self, ask: Ask) -> None:
        """Send a question. For an ask that was sent before: the identical message once more."""
        ...

    def forget(self, ask: Ask) -> None:
        """Stop listening for answers to an ask."""
        ...

    def close(self) -> None:
        """Close every socket."""
        ...


class Listener(Protocol):
    """Who is told what becomes of an ask."""

    def heard(self, ask: Ask, wire: bytes) -> None:
        """A message came that carries the right id and question. Nothing else is known of it."""
        ...

    def heard_over_stream(self, ask: Ask, wire: bytes) -> None:
        """The same over a connection: nothing better is to come from this nameserver."""
        ...

    def noticed(self, ask: Ask, failure: Failure) -> None:
        """A message came that is no answer. Waiting goes on; it may explain the silence."""
        ...

    def failed(self, ask: Ask, failure: Failure) -> None:
        """The ask came to nothing, or its nameserver cannot be reached."""
        ...


class Server:
    """What a run knows about one nameserver.

    Attributes:
        nameserver: Which it is.
        order: Its place in the configuration.
        channel: How it is asked.
        window: How many questions may be in flight.
        in_flight: Questions that it has been sent and has not answered.
        waiting: What is to be asked when there is room in the window.
        answered: Whether anything was ever heard from it.
        lapses: How many questions went to another attempt without it having been heard.
        unreachable: The network said so, and nothing was heard since.
        echoes_case: Whether it repeats the question with the case of its letters unchanged.
        reading_time: How long it took to read what it answered so far, in seconds.
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
        """Whether the others are to be preferred for the rest of the run."""
        return self.unreachable or (self.lapses >= LAPSES and not self.answered)


class Ask:
    """One query put to one nameserver, however often it is sent.

    Attributes:
        inquiry: The query's own state.
        server: Who is asked.
        expires: Until when an answer is waited for, by `time.monotonic`.
        live: Whether an answer is still expected.
        holds_room: Whether it counts as in flight.
        times: How often it was sent.
        messages: How many messages came for it.
        stream: The TCP connection it has gone on over.
        datagram: What is sent, once the channel has composed it.
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
        query: What is asked.
        question: Its wire form.
        servers: Who may be asked.
        answer: The outcome; None until it is settled.
        attempts: How many times it was sent, over all nameservers.
        asks: The attempts by nameserver.
        closed: Nameservers that cannot do better than what they answered.
        failures: What went wrong so far.
        queued: Whether it waits for room in a nameserver's window.
        unread: How many messages came for it that are not read yet.
        next_at: When it is to be asked again; infinite when it must not be.
        place: Its place among those that are asked together.
        wakes_at: When its timer is due, to tell that from timers set before.
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
        """The asks an answer is still expected to."""
        return [ask for ask in self.asks.values() if ask.live]

    def note(self, failure: Failure) -> None:
        """Remember what went wrong, once."""
        if failure not in self.failures:
            self.failures.append(failure)

    def preferred(self) -> Server | None:
        """The nameserver to ask next; None when none can be.

        The least asked first, and being put last counts as having been asked once. A nameserver
        that is answering over TCP is left to it.
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
        """How often the query was sent to a nameserver."""
        ask = self.asks.get(server)
        return 0 if ask is None else ask.times
