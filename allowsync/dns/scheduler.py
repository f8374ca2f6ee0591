"""The choice of nameserver and time for each query.

A query goes to the preferred nameserver first, to the next one when no answer came within a tenth
of a second, and then with growing pauses, while answers to earlier attempts still count. A
failure moves it on at once. A nameserver without answers is put last for the rest of the run, so
that a dead one costs one re-send and not one per query.
"""

from __future__ import annotations

from math import inf

from allowsync.dns.failure import Failure, FailureKind
from allowsync.dns.query_state import LAPSES, Ask, Inquiry, Server
from allowsync.dns.retry import Retry, Timers
from allowsync.model.nameserver import Transport
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allowsync.model.nameserver import ResolverSettings

FIRST_PAUSE: Final = 0.1  # seconds before a question is sent for the second time
HANDSHAKE_PAUSE: Final = 0.4  # the same where two handshakes precede the first answer

_NO_BETTER: Final = (FailureKind.ODD, FailureKind.UNTRUSTED)
_OUT_OF_REACH: Final = (FailureKind.UNREACHABLE, FailureKind.UNTRUSTED)


class Dispatch:
    """Sends queries until each is settled.

    Args:
        settings: Attempts, timeout and deadline.
        servers: The nameservers of the run.
        clock: The present by `time.monotonic`, in seconds.
        give_up: Called with a query that has no attempts left.
    """

    def __init__(
        self,
        settings: ResolverSettings,
        servers: Sequence[Server],
        clock: Callable[[], float],
        give_up: Callable[[Inquiry], None],
    ) -> None:
        self.timers = Timers()
        self.timeout = settings.timeout.total_seconds()
        self._servers = servers
        self._clock = clock
        self._give_up = give_up
        self._retry = Retry(
            attempts=settings.attempts,
            timeout=self.timeout,
            deadline=settings.deadline.total_seconds(),
            started=clock(),
        )

    def begin(self, inquiry: Inquiry) -> None:
        """Queue a query for its first attempt."""
        self._move_on(inquiry)

    def fill(self) -> None:
        """Send as many queries as the windows have room for."""
        while ready := [one for one in self._servers if one.waiting and one.has_room]:
            for server in ready:
                while server.waiting and server.has_room:
                    self._send(server.waiting.popleft(), server)

    def wake(self) -> None:
        """Process due timers: end expired asks, retry."""
        now = self._clock()
        for inquiry in self.timers.due(now):
            if inquiry.answer is None and not inquiry.queued:
                self._look_at(inquiry, now)

    def resume(self, inquiry: Inquiry) -> None:
        """Resume a query whose timer fired while its received messages were unread."""
        if inquiry.answer is None and not inquiry.unread and inquiry.wakes_at == inf:
            self.timers.set(inquiry, self._clock())

    def extend(self, ask: Ask) -> None:
        """Expect an answer to an ask, for the timeout from now."""
        ask.live = True
        ask.expires = self._clock() + self.timeout
        if not ask.holds_room:
            ask.holds_room = True
            ask.server.in_flight += 1

    def release(self, ask: Ask) -> None:
        """Free the ask's room in the window."""
        if ask.holds_room:
            ask.holds_room = False
            ask.server.in_flight -= 1

    def end(self, ask: Ask) -> None:
        """Expect no answer to an ask any more."""
        ask.live = False
        self.release(ask)
        if ask.stream is not None:
            ask.stream.close()
            ask.stream = None

    def failed(self, ask: Ask, failure: Failure) -> None:
        """Handle a failed ask: move on to another nameserver, or retry after a pause."""
        self.end(ask)
        inquiry = ask.inquiry
        inquiry.note(failure)
        if failure.kind in _NO_BETTER:
            inquiry.closed.add(ask.server)
        if failure.kind in _OUT_OF_REACH and not ask.server.unreachable:
            ask.server.unreachable = True
            self._scatter(ask.server)
        if inquiry.answer is None and not inquiry.queued:
            self._move_on(inquiry)

    def _move_on(self, inquiry: Inquiry) -> None:
        """Ask an unasked nameserver at once; the same one only after a pause."""
        server = inquiry.preferred()
        if server is None or self._is_over(inquiry):
            inquiry.next_at = inf
        elif not inquiry.times_asked(server):
            self._enqueue(inquiry, server)
            return
        elif not inquiry.live:
            inquiry.next_at = self._clock() + self._pause(inquiry, server)
        self._rest(inquiry)

    def _look_at(self, inquiry: Inquiry, now: float) -> None:
        if inquiry.unread:  # perhaps it is answered; `resume` comes back to it if not
            return
        for ask in inquiry.live:
            if ask.expires <= now:
                self._expire(ask)
        if inquiry.next_at <= now:
            self._lapse(inquiry)
            server = None if self._is_over(inquiry) else inquiry.preferred()
            if server is not None:
                self._enqueue(inquiry, server)
                return
            inquiry.next_at = inf
        self._rest(inquiry)

    def _rest(self, inquiry: Inquiry) -> None:
        """Wait for asks in flight; give up without any."""
        live = inquiry.live
        if not live and inquiry.next_at == inf:
            self._give_up(inquiry)
        else:
            due = min((ask.expires for ask in live), default=inf)
            self.timers.set(inquiry, min(due, inquiry.next_at))

    def _expire(self, ask: Ask) -> None:
        span = f"in {self.timeout:g} s"
        if ask.stream is None:
            ask.inquiry.note(Failure(FailureKind.SILENT, f"{ask.server.channel.lacks} {span}"))
        else:
            ask.inquiry.note(Failure(FailureKind.STREAM, f"no whole answer over TCP {span}"))
        self.end(ask)

    def _lapse(self, inquiry: Inquiry) -> None:
        """Count a lapse against nameservers that left a question unanswered until its retry."""
        for ask in inquiry.live:
            if ask.times == 1:
                ask.server.lapses += 1
                if ask.server.lapses == LAPSES:
                    self._scatter(ask.server)

    def _scatter(self, server: Server) -> None:
        """Move the queries that wait for a nameserver put last to a better one, if there is one."""
        waiting = tuple(server.waiting)
        server.waiting.clear()
        for inquiry in waiting:
            self._enqueue(inquiry, inquiry.preferred() or server)

    def _enqueue(self, inquiry: Inquiry, server: Server) -> None:
        ask = inquiry.asks.get(server)
        if ask is not None and ask.holds_room:
            self._send(inquiry, server)
            return
        inquiry.queued = True
        if inquiry.attempts:
            server.waiting.appendleft(inquiry)
        else:
            server.waiting.append(inquiry)

    def _send(self, inquiry: Inquiry, server: Server) -> None:
        inquiry.queued = False
        if inquiry.answer is not None:
            return
        ask = inquiry.asks.get(server)
        if ask is None:
            ask = inquiry.asks[server] = Ask(inquiry, server)
        ask.times += 1
        inquiry.attempts += 1
        self.extend(ask)
        inquiry.next_at = self._clock() + self._pause(inquiry, server)
        self.timers.set(inquiry, inquiry.next_at)
        server.channel.send(ask)

    def _pause(self, inquiry: Inquiry, server: Server) -> float:
        if inquiry.attempts == 1:
            plain = server.nameserver.transport is Transport.DNS
            return min(FIRST_PAUSE if plain else HANDSHAKE_PAUSE, self.timeout)
        return self._retry.wait(inquiry.attempts)

    def _is_over(self, inquiry: Inquiry) -> bool:
        return inquiry.attempts > 0 and self._retry.over(inquiry.attempts, self._clock())
