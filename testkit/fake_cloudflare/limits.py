"""How much may be asked: by a user in five minutes, and of the lists of an account in twelve hours.

From https://developers.cloudflare.com/fundamentals/api/reference/limits/ (1,200 requests in five
minutes, then none for the next five) and
https://developers.cloudflare.com/waf/tools/lists/lists-api/ (30,000 requests that change items, and
1,000,000 items changed, in twelve hours).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from testkit.fake_cloudflare.replies import CallRefused

REQUESTS: Final = (1_200, 300.0)
WRITES: Final = (30_000, 12 * 3600.0)
CHANGES: Final = (1_000_000, 12 * 3600.0)

RATE_LIMITED: Final = 971


@dataclass(slots=True)
class Window:
    """What was spent in the last `seconds`: at most `most`."""

    most: int
    seconds: float
    spent: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def take(self, amount: int, now: float) -> bool:
        """Spend an amount, if there is as much left."""
        while self.spent and now - self.spent[0][0] >= self.seconds:
            self.total -= self.spent.popleft()[1]
        if self.total + amount > self.most:
            return False
        self.spent.append((now, amount))
        self.total += amount
        return True


@dataclass(slots=True)
class Requests:
    """The requests of one user. Who asks too much is not heard at all for a while."""

    window: Window = field(default_factory=lambda: Window(*REQUESTS))
    deaf_until: float = 0.0

    def one_more(self, now: float) -> None:
        """Count a request.

        Raises:
            CallRefused: There were too many.
        """
        if now >= self.deaf_until and self.window.take(1, now):
            return
        if now >= self.deaf_until:
            self.deaf_until = now + self.window.seconds
        after = {"Retry-After": str(int(self.deaf_until - now) + 1)}
        text = "Please wait and consider throttling your request speed"
        raise CallRefused(429, RATE_LIMITED, text, after)


@dataclass(slots=True)
class Modifications:
    """What was changed in the lists of an account."""

    writes: Window = field(default_factory=lambda: Window(*WRITES))
    changes: Window = field(default_factory=lambda: Window(*CHANGES))

    def spend(self, changes: int, now: float) -> None:
        """Count a request that changes so many items.

        Raises:
            CallRefused: That, or it, is too much for twelve hours.
        """
        if not self.writes.take(1, now) or not self.changes.take(changes, now):
            raise CallRefused(429, RATE_LIMITED, "too many changes of list items in twelve hours")
