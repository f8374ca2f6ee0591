"""Retry times of questions, and the timers of those in flight.

Plain arithmetic: one loop waits for the network and for these times, and answers to earlier
attempts still count. A library that retries a function call has nothing to drive here.
"""

from __future__ import annotations

import os
from heapq import heappop, heappush
from itertools import count
from math import inf

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.dns.query_state import Inquiry

BASE: Final = 0.1  # seconds; doubled with each attempt
JITTER: Final = 0.1  # seconds; so that many questions lost at once do not come back at once

_DOUBLINGS: Final = 20  # longer than any timeout


class Retry(Value):
    """The policy of one run. All spans are in seconds, instants are those of `time.monotonic`.

    Attributes:
        attempts: The number of times a question may be asked.
        timeout: The longest pause.
        deadline: The end of the run, counted from its start.
        started: The start of the run.
    """

    attempts: int
    timeout: float
    deadline: float
    started: float

    def over(self, attempts: int, now: float) -> bool:
        """Whether a question asked that many times must not be asked again."""
        return attempts >= self.attempts or now - self.started >= self.deadline

    def wait(self, attempts: int) -> float:
        """Return the pause after that many attempts, before the next; never over `timeout`."""
        grown = BASE * 2.0 ** min(attempts - 1, _DOUBLINGS)
        return min(grown + JITTER * os.urandom(1)[0] / 255, self.timeout)


class Timers:
    """One timer per query; setting it again replaces it. Instants are `time.monotonic`'s."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Inquiry]] = []
        self._ties = count()

    def set(self, inquiry: Inquiry, when: float) -> None:
        """Set a query's timer to that instant, in place of an earlier one."""
        inquiry.wakes_at = when
        heappush(self._heap, (when, next(self._ties), inquiry))

    def due(self, now: float) -> Iterator[Inquiry]:
        """Take out the queries whose timers are due, in order."""
        while self._heap and self._heap[0][0] <= now:
            when, _, inquiry = heappop(self._heap)
            if inquiry.wakes_at == when:
                inquiry.wakes_at = inf
                yield inquiry

    @property
    def next(self) -> float:
        """An instant not later than that of the next timer; infinite without any."""
        return self._heap[0][0] if self._heap else inf
