"""Clocks of a machine as values: readings in a run, and readings remembered."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from allowsync.model.value import Value


class Clock(Enum):
    """Whether the wall clock has credibly run since the last run."""

    STEADY = "steady"
    BACKWARDS = "backwards"
    JUMPED = "jumped"


class Gap(Value):
    """At `at` the wall clock had moved ahead by `by` more than the elapsed time."""

    at: datetime
    by: timedelta


class Pulse(Value):
    """The clocks of a machine at one instant.

    Attributes:
        wall: The wall clock, in UTC.
        boot: The identifier of the boot (/proc/sys/kernel/random/boot_id); empty if unknown.
        uptime: CLOCK_BOOTTIME: the time since that boot, suspension included.
    """

    wall: datetime
    boot: str = ""
    uptime: timedelta = timedelta(0)


class Chronology(Value):
    """The remembered clock readings.

    Attributes:
        last: The clocks at the last run; None before the first.
        latest: The latest instant that the wall clock ever showed.
        gaps: The jumps ahead, oldest first.
    """

    last: Pulse | None = None
    latest: datetime | None = None
    gaps: tuple[Gap, ...] = ()
