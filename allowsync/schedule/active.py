"""An active schedule, which would restore cleared targets, and how to stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value
from allowsync.schedule.files import OURS
from allowsync.schedule.install import InstallFailed, InstallSteps
from allowsync.schedule.renewal import command_text, runs
from allowsync.schedule.status import standing
from allowsync.schedule.units import CRON, ENABLED, TIMER, UNITS, Scheduler

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.schedule.files import Disk


class ActiveSchedule(Value):
    """A schedule that starts runs of a configuration.

    Attributes:
        disk: The file system it is installed on.
        scheduler: systemd or cron.
        units: The units that start something, with systemd.
        next_run: The time of the next run in systemd's words; empty if unknown.
    """

    disk: Disk
    scheduler: Scheduler
    units: tuple[str, ...] = ()
    next_run: str = ""

    def __str__(self) -> str:
        """A description for people."""
        what = TIMER if self.scheduler is Scheduler.SYSTEMD else str(CRON)
        return f"{what}, next run {self.next_run}" if self.next_run else what

    def stop(self) -> None:
        """Stop its runs, and its restoration at boot. 'schedule install' starts it again.

        Raises:
            InstallFailed: It goes on; the text says why.
        """
        if self.scheduler is Scheduler.SYSTEMD:
            argv = ("systemctl", "disable", "--now", *self.units)
            InstallSteps(self.disk, before=(argv,)).carry_out()
        elif self.disk.found(CRON) in OURS:
            InstallSteps(self.disk, remove=(CRON,)).carry_out()
        else:
            raise InstallFailed(f"{CRON} was written by hand: remove it, or its line, yourself")


def active_schedule(place: Path, disk: Disk) -> ActiveSchedule | None:
    """The schedule that runs a configuration; None if no run would start.

    Args:
        place: The path of the configuration.
        disk: The file system with the units and cron's files.
    """
    try:
        found = standing(disk)
        if found.scheduler is None or not runs(command_text(disk, found.scheduler), place):
            return None
    except OSError:
        return None
    if found.scheduler is Scheduler.CRON:
        return ActiveSchedule(disk, found.scheduler)
    if found.timer.get("ActiveState") != "active":
        return None
    units = tuple(one for one in ENABLED if UNITS / one in found.found)
    upcoming = found.timer.get("NextElapseUSecRealtime", "")
    return ActiveSchedule(disk, found.scheduler, units, upcoming)
