"""The installed schedule, in terms of its installation options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync.schedule.interval import CHOICES, Interval
from allowsync.schedule.requirements import CONFIGURATION
from allowsync.schedule.status import standing
from allowsync.schedule.units import CRON, SERVICE, TIMER, UNITS, Scheduler

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

    from allowsync.schedule.files import Disk


DROP_IN: Final = UNITS / f"{SERVICE}.d/needs.conf"


class InstalledSchedule(Value):
    """The scheduler, the interval, and whether the service is root."""

    scheduler: Scheduler
    interval: Interval
    as_root: bool


def installed(disk: Disk, configuration: Path, offset: int) -> InstalledSchedule | None:
    """The schedule of a configuration; None if there is none, or its files are not in our form.

    Args:
        disk: The file system.
        configuration: The file that its runs read: another one's schedule does not count.
        offset: The number that tells machines apart, for cron.
    """
    scheduler = standing(disk).scheduler
    if scheduler is None:
        return None
    by_timer = scheduler is Scheduler.SYSTEMD
    when = _text(disk, UNITS / TIMER if by_timer else CRON)
    command = command_text(disk, scheduler)
    if not runs(command, configuration):
        return None
    for one in map(Interval.parse, CHOICES):
        said = f"OnCalendar={one.calendar}" if by_timer else f"{one.cron(offset)} "
        if any(line.startswith(said) and _ends(line, said) for line in when.splitlines()):
            return InstalledSchedule(scheduler, one, "User=root" in command)
    return None


def command_text(disk: Disk, scheduler: Scheduler) -> str:
    """The text of the files with the command of a run."""
    files = (CRON,) if scheduler is Scheduler.CRON else (UNITS / SERVICE, DROP_IN)
    return "".join(_text(disk, one) for one in files)


def runs(command: str, configuration: Path) -> bool:
    """Whether a command names a configuration, or none for the default one."""
    if configuration == CONFIGURATION:
        return "--config" not in command
    return str(configuration) in command.replace("\\%", "%")


def _ends(line: str, said: str) -> bool:
    """Whether the text ends the line: `*:0/1` is not `*:0/15`."""
    return line[len(said) :][:1] in ("", " ", "*") if said.endswith(" ") else line == said


def _text(disk: Disk, path: PurePosixPath) -> str:
    try:
        return disk.at(path).read_text(errors="replace")
    except OSError:
        return ""
