"""Waiting. The clock is a parameter, so that tests take no time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable


class Pauses(Value):
    """A monotonic clock in seconds, with its sleep function."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
