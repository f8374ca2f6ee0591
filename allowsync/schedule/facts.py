"""The schedule of a configuration: scheduler, interval, and next run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from allowsync.inspect.status import ScheduleFacts
from allowsync.schedule.files import INSTALL
from allowsync.schedule.renewal import command_text, runs
from allowsync.schedule.status import standing
from allowsync.schedule.units import CRON, TIMER, UNITS, Scheduler

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.schedule.files import Disk
    from allowsync.schedule.status import ScheduleStatus

NONE: Final = ScheduleFacts(trouble=f"no schedule is installed; {INSTALL}")
ANOTHER: Final = ScheduleFacts(trouble="the schedule that is installed runs another configuration")

_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_CALENDAR: Final = re.compile(r"^OnCalendar=(?:\*:0/(\d+)|0/(\d+):00)$", re.MULTILINE)
_CRON: Final = re.compile(r"^(\S+) (\S+) \* \* \*\s.*\bapply\b", re.MULTILINE)
_FIELD: Final = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")


def schedule_facts(place: Path, disk: Disk, now: datetime) -> ScheduleFacts | None:
    """The schedule of a configuration; None if it cannot be read.

    Args:
        place: The path of the configuration.
        disk: The file system with the units and cron's files.
        now: The instant.
    """
    try:
        found = standing(disk)
        if found.scheduler is None:
            return NONE
        if not runs(command_text(disk, found.scheduler), place):
            return ANOTHER
        if found.scheduler is Scheduler.SYSTEMD:
            return by_systemd(found, disk.at(UNITS / TIMER).read_text(errors="replace"))
        return _by_cron(disk.at(CRON).read_text(errors="replace"), now)
    except OSError:
        return None


def by_systemd(found: ScheduleStatus, timer: str) -> ScheduleFacts:
    """The schedule by a timer's file and systemd's properties of it (systemctl(1), `show`)."""
    often = _CALENDAR.search(timer)
    minutes = 0 if often is None else int(often[1] or 0) + 60 * int(often[2] or 0)
    states = [found.timer.get(one, "") for one in ("UnitFileState", "ActiveState")]
    trouble = ""
    if found.timer and states != ["enabled", "active"]:
        trouble = f"allowsync.timer is {', '.join(filter(None, states))}: no run starts; {INSTALL}"
    stamp = _STAMP.search(found.timer.get("NextElapseUSecRealtime", ""))
    upcoming = None if stamp is None else datetime.fromisoformat(stamp[0]).astimezone(UTC)
    started = found.timer.get("SubState") == "running"
    return ScheduleFacts(Scheduler.SYSTEMD.value, upcoming, _span(minutes), trouble, started)


def _by_cron(text: str, now: datetime) -> ScheduleFacts:
    """The schedule by cron's entry for runs, if it can be parsed (crontab(5))."""
    entry = _CRON.search(text)
    minutes = () if entry is None else _values(entry[1], 60)
    hours = () if entry is None else _values(entry[2], 24)
    local = now.astimezone().replace(second=0, microsecond=0)
    following = (local + timedelta(minutes=one) for one in range(1, 24 * 60 + 1))
    matching = (one for one in following if one.minute in minutes and one.hour in hours)
    upcoming, after = next(matching, None), next(matching, None)
    if upcoming is None:
        return ScheduleFacts(Scheduler.CRON.value)
    often = timedelta(days=1) if after is None else after - upcoming
    return ScheduleFacts(Scheduler.CRON.value, upcoming.astimezone(UTC), often)


def _values(field: str, size: int) -> tuple[int, ...]:
    """The numbers of a cron field; empty for a form that is not supported."""
    match = _FIELD.fullmatch(field)
    if match is None:
        return ()
    first, last, step = match.groups()
    end = size - 1 if first is None else int(last or first)
    return tuple(range(int(first or 0), end + 1, int(step or 1) or size))


def _span(minutes: int) -> timedelta | None:
    return timedelta(minutes=minutes) if minutes else None
