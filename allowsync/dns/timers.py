"""When each query under way has to be looked at again."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.dns.query_state import Inquiry


class Timers:
    """One timer per query; setting it again replaces it. Instants are `time.monotonic`'s."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Inquiry]] = []
        self._ties = count()

    def set(self, inquiry: Inquiry, when: float) -> None:
        """Look at a query at that instant instead of the one set before."""
        inquiry.wakes_at = when
        heappush(self._heap, (when, next(self._ties), inquiry))

    def due(self, now: float) -> Iterator[Inquiry]:
        """Take out the queries whose time has come, in order."""
        while self._heap and self._heap[0][0] <= now:
            when, _, inquiry = heappop(self._heap)
            if inquiry.wakes_at == when:
                inquiry.wakes_at = inf
                yield inquiry

    @property
    def next(self) -> float:
        """An instant not later than that of the next timer; infinite without any."""
        return self._heap[0][0] if self._heap else inf
