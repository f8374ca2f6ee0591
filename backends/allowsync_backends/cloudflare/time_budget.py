"""Waiting, with an end. The clock is given, so that tests take no time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

# When to look whether an asynchronous operation has ended, in seconds after the look before; the
# last goes on until OPERATION_PATIENCE is over.
POLLS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
OPERATION_PATIENCE: Final = 120.0  # seconds

# After a refusal for now that does not say how long it lasts.
PAUSES: Final = (5.0, 10.0, 20.0, 40.0, 60.0)


class PollClock(Value):
    """What time it is, in seconds from any start, and how to let some pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Budget(Value):
    """How long a piece of work may take, in seconds from when this was made."""

    clock: PollClock
    seconds: float
    began: float = field(default=-1.0)

    @staticmethod
    def of(clock: PollClock, seconds: float) -> Budget:
        """A budget that begins now."""
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
        """A part of it that begins now."""
        return Budget.of(self.clock, min(seconds, self.left))

    def would_pass(self, state: RetryCallState) -> bool:
        """Whether the pause that a `tenacity.Retrying` is about to make would end too late."""
        return state.upcoming_sleep > self.left
