"""Installation and removal of a schedule: files to change, and commands in order."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync.schedule.dropin import EARLY
from allowsync.schedule.files import MAY_BE_REPLACED, OURS, Disk, FileState
from allowsync.schedule.units import (
    ENABLED,
    FOLLOW,
    FOLLOW_PATH,
    PLACES,
    RESTORE,
    TIMER,
    UNITS,
    SchedulePlan,
    Scheduler,
)
from allowsync.system.process import Command, CommandError, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.schedule.units import ScheduleFile

ROOT: Final = Path("/")
TIMEOUT: Final = 60.0  # seconds
# Here systemd keeps a `Persistent=` timer's last start of its service (systemd.timer(5)).
STAMP: Final = PurePosixPath("/var/lib/systemd/timers") / f"stamp-{TIMER}"
_WANTED_BY: Final = {
    TIMER: UNITS / "timers.target.wants" / TIMER,
    RESTORE: UNITS / "sysinit.target.wants" / RESTORE,
    EARLY: UNITS / "sysinit.target.wants" / EARLY,
    FOLLOW: UNITS / "multi-user.target.wants" / FOLLOW,
    FOLLOW_PATH: UNITS / "paths.target.wants" / FOLLOW_PATH,
}


class InstallFailed(Exception):
    """A file could not be written, or a command failed. The text states known facts."""


class ConflictingFiles(Exception):
    """Foreign files, or files that were changed by hand, are in the place of ours."""

    def __init__(self, paths: Sequence[tuple[PurePosixPath, FileState]]) -> None:
        super().__init__(paths)
        self.paths = tuple(paths)


class InstallSteps(Value):
    """The steps of an installation or a removal.

    Attributes:
        disk: The file system.
        remove: Files to remove.
        write: Files to write.
        before: Commands to run before any file is touched.
        after: Commands to run when all files are in place.
    """

    disk: Disk
    remove: tuple[PurePosixPath, ...] = ()
    write: tuple[ScheduleFile, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    after: tuple[tuple[str, ...], ...] = ()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.remove or self.write or self.before or self.after)

    def carry_out(self) -> None:
        """Carry out the steps.

        Raises:
            InstallFailed: A step failed; the later ones were skipped.
        """
        for argv in self.before:
            _run(argv)
        for path in self.remove:
            with _told(path, "removed"):
                self.disk.remove(path)
        for piece in self.write:
            with _told(piece.path, "written"):
                self.disk.write(piece)
        for argv in self.after:
            _run(argv)


def installation(
    plan: SchedulePlan, disk: Disk, *, force: bool, stopped: bool = False
) -> InstallSteps:
    """The steps to install a schedule as planned; none if it is in place already.

    Args:
        plan: The schedule.
        disk: The file system.
        force: Whether to replace foreign or changed files.
        stopped: Whether a unit of it that starts runs is known to be stopped.

    Raises:
        ConflictingFiles: There are such files.
        OSError: A file could not be read.
    """
    pieces = plan.pieces()
    wanted = {piece.path: piece.text for piece in pieces}
    found = {path: disk.found(path, wanted.get(path)) for path in (*PLACES, *wanted)}
    write = tuple(one for one in pieces if found[one.path] is not FileState.CURRENT)
    stale = tuple(path for path in PLACES if path not in wanted and found[path] in OURS)
    if not force:
        _refuse(found, (*stale, *wanted))
    before = _stopped(disk, stale)
    if plan.scheduler is Scheduler.CRON:
        reload = (("systemctl", "daemon-reload"),) if before and disk.root == ROOT else ()
        return InstallSteps(disk, _with_stamp(disk, stale), write, before, reload)
    enabled = all(disk.at(_WANTED_BY[unit]).is_symlink() for unit in plan.units)
    changed = bool(write or stale or not enabled)
    after = _started(plan, disk) if changed else (_restart(plan),) if stopped else ()
    return InstallSteps(disk, stale, write, before, after)


def removal(disk: Disk, *, force: bool) -> InstallSteps:
    """The steps to remove the schedule.

    Raises:
        ConflictingFiles: One of our files was changed by hand.
        OSError: A file could not be read.
    """
    found = {path: disk.found(path) for path in PLACES}
    ours = tuple(path for path in PLACES if found[path] in OURS)
    if not force:
        _refuse(found, ours)
    before = _stopped(disk, ours)
    reload = any(path.is_relative_to(UNITS) for path in ours) and disk.root == ROOT
    after = (("systemctl", "daemon-reload"),) if reload else ()
    return InstallSteps(disk, _with_stamp(disk, ours), (), before, after)


def _with_stamp(disk: Disk, gone: tuple[PurePosixPath, ...]) -> tuple[PurePosixPath, ...]:
    """The files to remove, with the stamp of the timer if it is among them.

    Equivalent to `systemctl clean --what=state`, also on an image and with an older systemd.
    """
    timer = UNITS / TIMER in gone
    return (*gone, STAMP) if timer and disk.at(STAMP).exists() else gone


def _refuse(found: dict[PurePosixPath, FileState], touched: Iterable[PurePosixPath]) -> None:
    odd = [(path, found[path]) for path in touched if found[path] not in MAY_BE_REPLACED]
    if odd:
        raise ConflictingFiles(sorted(set(odd)))


def _started(plan: SchedulePlan, disk: Disk) -> tuple[tuple[str, ...], ...]:
    """The commands that make systemd load the units; see systemctl(1), systemd-sysusers(8)."""
    root = () if disk.root == ROOT else (f"--root={disk.root}",)
    user: tuple[tuple[str, ...], ...] = ()
    if not plan.shape.as_root:
        user = (
            ("systemd-sysusers", *root, "allowsync.conf"),
            ("systemd-tmpfiles", *root, "--create", "allowsync.conf"),
        )
    enable = (("systemctl", *root, "enable", *plan.units),)
    if root:
        return (*user, *enable)
    return (*user, ("systemctl", "daemon-reload"), *enable, _restart(plan))


def _restart(plan: SchedulePlan) -> tuple[str, ...]:
    return ("systemctl", "restart", *plan.started)


def _stopped(disk: Disk, gone: Sequence[PurePosixPath]) -> tuple[tuple[str, ...], ...]:
    """The commands that make systemd release units before their files are removed."""
    units = [unit for unit in ENABLED if UNITS / unit in gone]
    if not units:
        return ()
    if disk.root == ROOT:
        return (("systemctl", "disable", "--now", *units),)
    return (("systemctl", f"--root={disk.root}", "disable", *units),)


def _run(argv: tuple[str, ...]) -> None:
    said = " ".join(argv)
    try:
        done = run(Command(argv, timeout=TIMEOUT))
    except CommandError as error:
        raise InstallFailed(f"'{said}': {error}") from error
    if done.code != 0:
        line = next((one.strip() for one in done.stderr.splitlines() if one.strip()), "")
        raise InstallFailed(
            f"'{said}' failed with exit code {done.code}" + (f": {line}" if line else "")
        )


class _told:  # noqa: N801 - reads as a statement
    """Turns an OSError into an InstallFailed that names the file."""

    def __init__(self, path: PurePosixPath, what: str) -> None:
        self._text = f"{path} could not be {what}"

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise InstallFailed(f"{self._text}: {error.strerror}") from error
