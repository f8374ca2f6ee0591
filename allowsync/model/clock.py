"""Clocks of a machine as values: what a run reads of them, and what is remembered."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from allowsync.model.value import Value


class Clock(Enum):
    """Whether the wall clock can be believed to have run since the last run."""

    STEADY = "steady"
    BACKWARDS = "backwards"
    JUMPED = "jumped"


class Gap(Value):
    """At `at` the wall clock had moved ahead by `by` more than time passed."""

    at: datetime
    by: timedelta


class Pulse(Value):
    """The clocks of a machine at one instant.

    Attributes:
        wall: The wall clock, in UTC.
        boot: The identifier of the boot (/proc/sys/kernel/random/boot_id); empty if unknown.
        uptime: CLOCK_BOOTTIME: the time since then, suspension included.
    """

    wall: datetime
    boot: str = ""
    uptime: timedelta = timedelta(0)


class Chronology(Value):
    """What is remembered of the clocks.

    Attributes:
        last: The clocks at the last run; None before the first.
        latest: The latest instant that the wall clock ever showed.
        gaps: By how much it was ahead, oldest first.
    """

    last: Pulse | None = None
    latest: datetime | None = None
    gaps: tuple[Gap, ...] = ()
