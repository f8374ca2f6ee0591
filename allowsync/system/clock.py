"""The clocks of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from allowsync.model.clock import Pulse

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def pulse() -> Pulse:
    """The wall clock, and the uptime within this boot (clock_gettime(2), random(4))."""
    return Pulse(datetime.now(UTC), _boot(), uptime())


def uptime() -> timedelta:
    """The time since the machine was booted, suspension included."""
    return timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


def _boot() -> str:
    try:
        with open(BOOT_ID, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is dear to a run
            return file.read().strip()
    except OSError:
        return ""
