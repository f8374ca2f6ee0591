"""The loop that asks all queries at once and listens until each is settled.

Each turn receives what has arrived, refills the windows, then reads answers for half a
millisecond: reading costs far more than sending, and a nameserver must not stand idle meanwhile.
The nameserver whose answers have taken the least reading time is read first, so that one whose
answers are slow to read delays only its own.
"""

from __future__ import annotations

import os
import time
from collections import deque
from selectors import DefaultSelector

from allowsync.dns.failure import NOT_ASKABLE, Failure, FailureKind, most_telling
from allowsync.dns.query_state import WINDOW, Inquiry, Server
from allowsync.dns.scheduler import Dispatch
from allowsync.dns.transport.udp import DatagramChannel
from allowsync.dns.wire_fastpath import read_plain
from allowsync.dns.wire_parse import read
from allowsync.dns.wire_query import Unaskable, WireQuestion, is_truncated, question
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.nameserver import Dnssec, Transport
from allowsync.typed import TYPE_CHECKING, Final, assert_never

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allowsync.dns.query_state import Ask, Channel, Job
    from allowsync.dns.transport.workers import Workers
    from allowsync.dns.wire_parse import ChainEnd, Reading
    from allowsync.model.answer import Answer
    from allowsync.model.nameserver import Nameserver, ResolverSettings

    Told = Callable[[Sequence[tuple[int, Answer]]], None]

MAX_MESSAGES: Final = 8  # read for one ask; more are a flood
SLICE: Final = 50  # questions prepared before some are sent
LAST_READING: Final = 0.5  # seconds after the deadline for answers received by then
TURN: Final = 0.0005  # seconds of reading before the network is polled again
SOON: Final = 0.01  # seconds that an answer waits to be reported together with others
GRACE: Final = 1.0  # seconds, after which threads stop work that the loop has given up before


def ask_all(
    jobs: Sequence[Job],
    settings: ResolverSettings,
    *,
    ends: float | None = None,
    told: Told | None = None,
    chain_end: ChainEnd | None = None,
) -> list[Inquiry]:
    """Ask every job's query of its nameservers, all at once; one settled inquiry per job, in order.

    Args:
        jobs: The queries, each with its nameservers.
        settings: Attempts, timeout, deadline.
        ends: The deadline, by `time.monotonic`, where it does not count from now. Answers received
            by then are read for half a second more.
        told: Called with places of jobs and their answers, soon after these are settled: before
            the loop waits, or reads a message that may take long.
        chain_end: Follows aliases, in place of `allowsync.dns.aliases.chain_end`.
    """
    run = _Run(jobs, settings, ends, told or (lambda _settled: None), chain_end)
    try:
        return run.settled()
    finally:
        run.close()


class _Run:
    """One loop over sockets, windows and timers. Implements `Listener`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        settings: ResolverSettings,
        ends: float | None,
        told: Told,
        chain_end: ChainEnd | None = None,
    ) -> None:
        self._settings = settings
        self._validate = settings.dnssec is Dnssec.REQUIRE
        self._deadline = ends or time.monotonic() + settings.deadline.total_seconds()
        self._longest = settings.deadline.total_seconds() + GRACE
        self._selector = DefaultSelector()
        self._servers = self._all_servers(jobs)
        self._dispatch = Dispatch(
            settings, tuple(self._servers.values()), time.monotonic, self._give_up
        )
        self._asked: tuple[Sequence[Nameserver], tuple[Server, ...]] = ((), ())
        self._workers: Workers | None = None
        self._start = _start(len(jobs))
        self._jobs = [*jobs[self._start :], *jobs[: self._start]]
        self._inquiries: list[Inquiry] = []
        self._unread: dict[Server, deque[tuple[Ask, bytes, bool]]] = {}
        self._open = 0
        self._told = told
        self._untold: list[tuple[int, Answer]] = []
        self._untold_since = 0.0
        self._chain_end = self._telling_first(chain_end)

    def settled(self) -> list[Inquiry]:
        """Return all inquiries, settled."""
        self._open = len(self._jobs)
        # The first questions are on their way while the others are prepared.
        for first in range(0, len(self._jobs), SLICE):
            self._begin(self._jobs[first : first + SLICE])
        if self._open:
            self._loop()
        self._tell()
        first = len(self._jobs) - self._start
        return [*self._inquiries[first:], *self._inquiries[:first]]

    def _begin(self, jobs: Sequence[Job]) -> None:
        first, total = self._start + len(self._inquiries), len(self._jobs)
        places = (place % total for place in range(first, first + len(jobs)))
        inquiries = list(map(self._inquiry, jobs, places))
        self._inquiries += inquiries
        for inquiry in inquiries:
            if inquiry.answer is None:
                self._dispatch.begin(inquiry)
            else:
                self._open -= 1
                self._untold.append((inquiry.place, inquiry.answer))
        self._dispatch.fill()

    def close(self) -> None:
        """Close every socket."""
        for inquiry in self._inquiries:
            for ask in inquiry.asks.values():
                self._dispatch.end(ask)
        for server in self._servers.values():
            server.channel.close()
        if self._workers is not None:
            self._workers.close()
        self._selector.close()

    def heard(self, ask: Ask, wire: bytes) -> None:
        """Queue an answer for reading; continue over TCP if it is truncated."""
        ask.server.answered, ask.server.unreachable = True, False
        if is_truncated(wire):
            self._go_on_over_stream(ask)
            return
        self._dispatch.release(ask)
        self._keep(ask, wire, streamed=False)

    def heard_over_stream(self, ask: Ask, wire: bytes) -> None:
        """Queue the whole answer for reading."""
        ask.server.answered, ask.server.unreachable = True, False
        self._dispatch.release(ask)
        self._keep(ask, wire, streamed=True)

    def noticed(self, ask: Ask, failure: Failure) -> None:
        """Record a message that is no answer."""
        ask.inquiry.note(failure)

    def failed(self, ask: Ask, failure: Failure) -> None:
        """Continue with another nameserver, or retry later."""
        self._dispatch.failed(ask, failure)

    def _loop(self) -> None:
        while self._open:
            now = time.monotonic()
            if now >= self._deadline:
                break
            if not self._unread or now >= self._untold_since + SOON:
                self._tell()
            events = self._selector.select(self._idle_time(now))
            for key, mask in events:
                key.data(mask)
            self._dispatch.fill()
            self._read_for(TURN)
            self._dispatch.wake()
            self._dispatch.fill()
        self._tell()
        self._read_for(self._deadline + LAST_READING - time.monotonic())
        self._end()

    def _idle_time(self, now: float) -> float:
        """Return the time to wait for the network, in seconds: none while answers are unread."""
        if self._unread:
            return 0.0
        return max(0.0, min(self._dispatch.timers.next, self._deadline) - now)

    def _keep(self, ask: Ask, wire: bytes, *, streamed: bool) -> None:
        ask.messages += 1
        if ask.messages <= MAX_MESSAGES:
            ask.inquiry.unread += 1
            self._unread.setdefault(ask.server, deque()).append((ask, wire, streamed))

    def _read(self, inquiry: Inquiry, wire: bytes) -> Reading:
        if not self._validate:
            plain = read_plain(wire, inquiry.query, len(inquiry.question.section))
            if plain is not None:
                return plain
        return read(wire, inquiry.query, validated=self._validate, chain_end=self._chain_end)

    def _telling_first(self, chain_end: ChainEnd | None) -> ChainEnd | None:
        """Wrap it to report settled queries first: following aliases may take long."""
        if chain_end is None:
            return None

        def follow(wire: bytes) -> bytes | Failure:
            self._tell()
            return chain_end(wire)

        return follow

    def _read_for(self, seconds: float) -> None:
        """Read received messages for that long; each message as a whole."""
        began = now = time.monotonic()
        while self._unread and now < began + seconds:
            now = self._read_one(now)

    def _read_one(self, began: float) -> float:
        """Read the first message of the nameserver with the least reading time so far.

        Returns:
            The present, by `time.monotonic`, once it is read.
        """
        server = min(self._unread, key=_reading_time)
        waiting = self._unread[server]
        ask, wire, streamed = waiting.popleft()
        if not waiting:
            del self._unread[server]
        self._settle_by(ask, wire, streamed=streamed)
        now = time.monotonic()
        server.reading_time += now - began
        return now

    def _settle_by(self, ask: Ask, wire: bytes, *, streamed: bool) -> None:
        """Settle an ask's query if the message is conclusive."""
        inquiry = ask.inquiry
        inquiry.unread -= 1
        if inquiry.answer is not None:
            return
        match self._read(inquiry, wire):
            case Found() | Absent() as answer:
                self._settle(inquiry, answer)
            case Failure(kind=FailureKind.GARBLED) as failure if not streamed:
                self.noticed(ask, failure)  # a valid one may still arrive
            case failure:
                self.failed(ask, failure)
        self._dispatch.resume(inquiry)

    def _go_on_over_stream(self, ask: Ask) -> None:
        if not ask.live or ask.stream is not None:
            return
        self._dispatch.extend(ask)
        from allowsync.dns.transport.tcp import Stream
        from allowsync.dns.transport.workers import Workers

        if self._workers is None:
            self._workers = Workers(self._selector)
        ask.stream = stream = Stream(
            ask, self._workers, self, timeout=self._longest, validate=self._validate
        )
        stream.start()

    def _settle(self, inquiry: Inquiry, answer: Answer) -> None:
        inquiry.answer = answer
        self._open -= 1
        if not self._untold:
            self._untold_since = time.monotonic()
        self._untold.append((inquiry.place, answer))
        for ask in inquiry.asks.values():
            self._dispatch.end(ask)
            ask.server.channel.forget(ask)

    def _tell(self) -> None:
        if self._untold:
            settled, self._untold = self._untold, []
            self._told(settled)

    def _give_up(self, inquiry: Inquiry) -> None:
        self._settle(inquiry, Unavailable(most_telling(inquiry.failures).reason))

    def _end(self) -> None:
        """Settle the queries that the deadline left open."""
        span = f"{self._settings.deadline.total_seconds():g} s"
        late = Failure(FailureKind.LATE, f"no answer before the deadline of {span}")
        for inquiry in self._inquiries:
            if inquiry.answer is None:
                inquiry.note(late)
                self._give_up(inquiry)

    def _all_servers(self, jobs: Sequence[Job]) -> dict[Nameserver, Server]:
        several = {id(job.nameservers): job.nameservers for job in jobs}  # mostly one for all
        distinct = dict.fromkeys(one for some in several.values() for one in some)
        return {one: self._server(one, order) for order, one in enumerate(distinct)}

    def _server(self, nameserver: Nameserver, order: int) -> Server:
        window, validate = WINDOW, self._validate
        ways = (nameserver, self._selector, self)
        channel: Channel
        match nameserver.transport:
            case Transport.DNS:
                channel = DatagramChannel(*ways, validate=validate)
            case Transport.TLS:
                from allowsync.dns.transport.dot import TlsChannel

                channel = TlsChannel(*ways, timeout=self._longest, validate=validate)
            case Transport.HTTPS:
                from allowsync.dns.transport.doh import CONNECTIONS, HttpsChannel

                window = CONNECTIONS
                channel = HttpsChannel(
                    *ways, timeout=self._settings.timeout.total_seconds(), validate=validate
                )
            case _:
                assert_never(nameserver.transport)
        return Server(nameserver, order, channel, window)

    def _inquiry(self, job: Job, place: int) -> Inquiry:
        if job.nameservers is not self._asked[0]:
            servers = tuple(self._servers[nameserver] for nameserver in job.nameservers)
            self._asked = (job.nameservers, servers)
        servers = self._asked[1]
        try:
            return Inquiry(job.query, question(job.query), servers, place=place)
        except Unaskable:
            nothing = WireQuestion(b"", 0)
            unaskable = Unavailable(NOT_ASKABLE.reason)
            return Inquiry(job.query, nothing, servers, unaskable, place=place)


def _reading_time(server: Server) -> float:
    return server.reading_time


def _start(jobs: int) -> int:
    """Return the index to begin with: random, where the windows have no room for all at once.

    Names without an answer keep their room until the deadline. In a fixed order, the names behind
    them would never be asked.
    """
    return int.from_bytes(os.urandom(4), "big") % jobs if jobs > WINDOW else 0
