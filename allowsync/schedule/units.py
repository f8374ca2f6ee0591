"""The files of a schedule, with their contents (pure, but for reading the templates)."""

from __future__ import annotations

from enum import Enum
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync.schedule import dropin
from allowsync.schedule.dropin import EARLY

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.schedule.dropin import ServiceSpec
    from allowsync.schedule.interval import Interval

TIMER: Final = "allowsync.timer"
SERVICE: Final = "allowsync.service"
RESTORE: Final = "allowsync-restore.service"
FOLLOW: Final = "allowsync-follow.service"
FOLLOW_PATH: Final = "allowsync-follow.path"

UNITS: Final = PurePosixPath("/etc/systemd/system")
CRON: Final = PurePosixPath("/etc/cron.d/allowsync")
SYSUSERS: Final = PurePosixPath("/etc/sysusers.d/allowsync.conf")
TMPFILES: Final = PurePosixPath("/etc/tmpfiles.d/allowsync.conf")

# Units that start runs, if they are installed, and those that run or restore by themselves.
STARTED: Final = (TIMER, FOLLOW, FOLLOW_PATH)
ENABLED: Final = (*STARTED, RESTORE, EARLY)

# Texts of the templates that are replaced.
_PROGRAM: Final = "/usr/local/bin/allowsync"
_CONFIGURATION: Final = "/etc/allowsync/config.yaml"


class Scheduler(Enum):
    """The program that starts the runs."""

    SYSTEMD = "systemd"
    CRON = "cron"


class ScheduleFile(Value):
    """A file of a schedule: its path, its text, its permissions."""

    path: PurePosixPath
    text: str
    mode: int = 0o644


class SchedulePlan(Value):
    """A schedule as intended.

    Attributes:
        scheduler: The program that starts the runs.
        interval: The interval of runs.
        shape: The permissions of the service.
        configuration: The file that each run reads.
        offset: Spreads the runs of machines with the same interval, for cron.
    """

    scheduler: Scheduler
    interval: Interval
    shape: ServiceSpec
    configuration: Path
    offset: int = 0

    @property
    def restores(self) -> bool:
        """Whether there are entries that a restart removes."""
        return bool(self.shape.requirements.restored)

    @property
    def comes_early(self) -> bool:
        """Whether sets must exist before other programs load their rules."""
        return self.restores and bool(self.shape.requirements.needs.before)

    @property
    def units(self) -> tuple[str, ...]:
        """The units to enable."""
        restore = (RESTORE,) if self.restores else ()
        early = (EARLY,) if self.comes_early else ()
        return (TIMER, *restore, *early, *self.started[1:])

    @property
    def started(self) -> tuple[str, ...]:
        """The units to start: those that start runs."""
        return STARTED if self.shape.requirements.follower is not None else (TIMER,)

    def pieces(self) -> tuple[ScheduleFile, ...]:
        """Every file of the schedule, in the order of writing."""
        if self.scheduler is Scheduler.CRON:
            return (ScheduleFile(CRON, self._cron()),)
        found = [
            ScheduleFile(UNITS / SERVICE, self._unit(SERVICE)),
            ScheduleFile(UNITS / f"{SERVICE}.d/needs.conf", dropin.service(self.shape)),
            ScheduleFile(UNITS / TIMER, self._timer()),
        ]
        if self.restores:
            found += [
                ScheduleFile(UNITS / RESTORE, self._unit(RESTORE)),
                ScheduleFile(UNITS / f"{RESTORE}.d/needs.conf", dropin.restore(self.shape)),
            ]
        if self.comes_early:
            found += [
                ScheduleFile(UNITS / EARLY, _early(self._unit(RESTORE))),
                ScheduleFile(UNITS / f"{EARLY}.d/needs.conf", dropin.early(self.shape)),
            ]
        if self.shape.requirements.follower is not None:
            found += [
                ScheduleFile(UNITS / FOLLOW, self._unit(FOLLOW)),
                ScheduleFile(UNITS / f"{FOLLOW}.d/needs.conf", dropin.follow(self.shape)),
                ScheduleFile(UNITS / FOLLOW_PATH, template(FOLLOW_PATH)),
            ]
        if not self.shape.as_root:
            found += [
                ScheduleFile(SYSUSERS, template("allowsync.sysusers.conf")),
                ScheduleFile(TMPFILES, template("allowsync.tmpfiles.conf")),
            ]
        return tuple(one for one in found if one.text)

    def _unit(self, name: str) -> str:
        program = dropin.quoted(self.shape.program)
        folder = dropin.quoted(str(PurePosixPath(self.shape.program).parent))
        places = f"{dropin.quoted(str(self.configuration.parent))} /var/lib/allowsync"
        return (
            template(name)
            .replace(f"ExecStart={_PROGRAM}", f"ExecStart={program.replace('$', '$$')}")
            .replace("/etc/allowsync /var/lib/allowsync /usr/local/bin", f"{places} {folder}")
            .replace(
                f"ConditionPathExists={_CONFIGURATION}",
                f"ConditionPathExists={dropin.quoted(str(self.configuration))}",
            )
        )

    def _timer(self) -> str:
        text = template(TIMER).replace("*:0/5", self.interval.calendar)
        # At one minute, a delay of 60 s would reach into the next interval.
        return text if self.interval.minutes > 1 else text.replace("Sec=60", "Sec=20")

    def _cron(self) -> str:
        words = f"{_cron_word(self.shape.program)} apply"
        given = "".join(f" {_cron_word(one)}" for one in self.shape.arguments)
        lines = template("allowsync.cron").replace(f"{_PROGRAM} apply", words)
        lines = lines.replace(" --quiet\n", f" --quiet{given}\n")
        return lines.replace("2-59/5 *", self.interval.cron(self.offset))


def _early(restore: str) -> str:
    """The restoring unit, ordered earlier and run once per boot."""
    _, _, rest = restore.partition("DefaultDependencies=no\n")
    when, _, rest = rest.partition("# Rules that are loaded later")
    body = rest.partition("After=nftables.service\n")[2].partition("[Install]\n")[0]
    return (
        "# At boot: makes what saved rules of other programs name, before those are loaded.\n"
        "[Unit]\n"
        "Description=Restore the last known allowlists before saved rules are loaded\n"
        "DefaultDependencies=no\n"
        f"{when}"
        "# Saved sets; where they hold ours as well, ours would be in the way.\n"
        "After=ipset.service\n"
        f"{body}"
        "[Install]\n"
        "WantedBy=sysinit.target\n"
    )


def _cron_word(word: str) -> str:
    """A word quoted for cron and its shell: `%` would end the line (crontab(5))."""
    from shlex import quote

    return quote(word).replace("%", "\\%")


# The path of every possible file, to show or remove it.
PLACES: Final = (
    UNITS / SERVICE,
    UNITS / f"{SERVICE}.d/needs.conf",
    UNITS / TIMER,
    UNITS / RESTORE,
    UNITS / f"{RESTORE}.d/needs.conf",
    UNITS / EARLY,
    UNITS / f"{EARLY}.d/needs.conf",
    UNITS / FOLLOW,
    UNITS / f"{FOLLOW}.d/needs.conf",
    UNITS / FOLLOW_PATH,
    SYSUSERS,
    TMPFILES,
    CRON,
)


@cache
def template(name: str) -> str:
    """The text of a template of the package; the folder `cron` has the same files."""
    from importlib.resources import files

    return (files("allowsync.schedule") / "units" / name).read_text()


TEMPLATES: Final = (
    SERVICE,
    RESTORE,
    TIMER,
    FOLLOW,
    FOLLOW_PATH,
    "allowsync.cron",
    "allowsync.sysusers.conf",
    "allowsync.tmpfiles.conf",
)
