"""Waiting with a limit. The clock is a parameter, so that tests take no time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

# The pauses between polls of an asynchronous operation, in seconds; the last one repeats until
# OPERATION_PATIENCE is over.
POLLS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
OPERATION_PATIENCE: Final = 120.0  # seconds

# The pauses after a temporary refusal without a duration.
PAUSES: Final = (5.0, 10.0, 20.0, 40.0, 60.0)


class PollClock(Value):
    """A monotonic clock in seconds, with its sleep function."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Budget(Value):
    """The time limit of a piece of work, in seconds from its start."""

    clock: PollClock
    seconds: float
    began: float = field(default=-1.0)

    @staticmethod
    def of(clock: PollClock, seconds: float) -> Budget:
        """Return a budget that starts now."""
        return Budget(clock, seconds, clock.now())

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self.clock.now() - self.began

    @property
    def left(self) -> float:
        """Seconds until it ends; never negative."""
        return max(0.0, self.seconds - self.spent)

    def at_most(self, seconds: float) -> Budget:
        """Return a part of it that starts now."""
        return Budget.of(self.clock, min(seconds, self.left))

    def would_pass(self, state: RetryCallState) -> bool:
        """Whether the next pause of a `tenacity.Retrying` would end too late."""
        return state.upcoming_sleep > self.left
