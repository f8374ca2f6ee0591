"""Waiting. The clock is given, so that tests take no time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable


class Pauses(Value):
    """What time it is, in seconds from any start, and how to let some pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
