"""When and whether a question is asked again. tenacity decides; the loop of the engine waits.

A module of its own because tenacity takes longer to import than most runs take to be answered: it
is imported when the first question has to be asked again.
"""

from __future__ import annotations

from typing import Final

from tenacity import (
    RetryCallState,
    Retrying,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

BASE: Final = 0.1  # seconds; doubled with each attempt
JITTER: Final = 0.1  # seconds; so that many questions lost at once do not come back at once


class Retry:
    """The policy of one run. All spans are in seconds, instants are those of `time.monotonic`."""

    def __init__(self, *, attempts: int, timeout: float, deadline: float, started: float) -> None:
        self._policy = Retrying(
            stop=stop_after_attempt(attempts) | stop_after_delay(deadline),
            wait=wait_exponential(multiplier=BASE, max=timeout) + wait_random(0, JITTER),
        )
        self._timeout = timeout
        self._started = started

    def over(self, attempts: int, now: float) -> bool:
        """Whether a question that was asked that many times must not be asked again."""
        return self._policy.stop(self._state(attempts, now))

    def wait(self, attempts: int, now: float) -> float:
        """How long to wait after that many attempts before the next one; never over `timeout`."""
        return min(float(self._policy.wait(self._state(attempts, now))), self._timeout)

    def _state(self, attempts: int, now: float) -> RetryCallState:
        state = RetryCallState(self._policy, None, (), {})
        state.start_time = self._started
        state.attempt_number = attempts
        state.outcome_timestamp = now
        return state
