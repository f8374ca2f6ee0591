"""The files a schedule is made of, with their contents (pure, but for reading the templates)."""

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

# Units that start runs, as far as they are installed, and those that run or restore by themselves.
STARTED: Final = (TIMER, FOLLOW, FOLLOW_PATH)
ENABLED: Final = (*STARTED, RESTORE, EARLY)

# What the templates say, and what is put in its place.
_PROGRAM: Final = "/usr/local/bin/allowsync"
_CONFIGURATION: Final = "/etc/allowsync/config.yaml"


class Scheduler(Enum):
    """What starts the runs."""

    SYSTEMD = "systemd"
    CRON = "cron"


class ScheduleFile(Value):
    """A file of a schedule: where it goes, what it says, its permissions."""

    path: PurePosixPath
    text: str
    mode: int = 0o644


class SchedulePlan(Value):
    """A schedule as it should be.

    Attributes:
        scheduler: What starts the runs.
        interval: How often.
        shape: What the service must be allowed.
        configuration: The file each run reads.
        offset: Tells machines apart that run equally often, for cron.
    """

    scheduler: Scheduler
    interval: Interval
    shape: ServiceSpec
    configuration: Path
    offset: int = 0

    @property
    def restores(self) -> bool:
        """Whether there is anything that a restart takes away."""
        return bool(self.shape.requirements.restored)

    @property
    def comes_early(self) -> bool:
        """Whether something has to be there before others load their rules."""
        return self.restores and bool(self.shape.requirements.needs.before)

    @property
    def units(self) -> tuple[str, ...]:
        """The units to enable."""
        restore = (RESTORE,) if self.restores else ()
        early = (EARLY,) if self.comes_early else ()
        return (TIMER, *restore, *early, *self.started[1:])

    @property
    def started(self) -> tuple[str, ...]:
        """The units to start: what starts runs."""
        return STARTED if self.shape.requirements.follower is not None else (TIMER,)

    def pieces(self) -> tuple[ScheduleFile, ...]:
        """Every file of it, in the order in which they are written."""
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
        # More than a minute apart, or the delay would reach into the next interval.
        return text if self.interval.minutes > 1 else text.replace("Sec=60", "Sec=20")

    def _cron(self) -> str:
        words = f"{_cron_word(self.shape.program)} apply"
        given = "".join(f" {_cron_word(one)}" for one in self.shape.arguments)
        lines = template("allowsync.cron").replace(f"{_PROGRAM} apply", words)
        lines = lines.replace(" --quiet\n", f" --quiet{given}\n")
        return lines.replace("2-59/5 *", self.interval.cron(self.offset))


def _early(restore: str) -> str:
    """The unit that restores, at another time and once in a boot."""
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
    """A word as cron and then a shell read it back: `%` would end the line (crontab(5))."""
    from shlex import quote

    return quote(word).replace("%", "\\%")


# Every place where one of the files may be, for what is to be shown or removed.
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
    """The text of a file that comes with the program; the same are in the folder `cron`."""
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
