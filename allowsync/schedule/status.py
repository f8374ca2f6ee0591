"""The installed schedule and the steps done, as text for people and as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value
from allowsync.schedule.files import INSTALL, Disk, FileState, marked
from allowsync.schedule.install import ROOT
from allowsync.schedule.units import (
    CRON,
    FOLLOW,
    FOLLOW_PATH,
    PLACES,
    SERVICE,
    TIMER,
    UNITS,
    SchedulePlan,
    Scheduler,
)
from allowsync.system.process import Command, CommandError, run
from allowsync.text import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePosixPath

    from allowsync.schedule.install import InstallSteps

Json = dict[str, Any]

# A service that is restarting after a failure (`Restart=`) counts as active.
_AT_WORK: Final = ("active", "activating")

_SAID: Final = {
    FileState.CURRENT: "in place",
    FileState.OUTDATED: "in place",
    FileState.EDITED: "changed by hand",
    FileState.FOREIGN: "not a file of 'allowsync schedule'",
}
_ASKED: Final = {
    TIMER: ("ActiveState", "SubState", "UnitFileState", "NextElapseUSecRealtime"),
    SERVICE: ("Result", "ExecMainStatus", "ExecMainExitTimestamp"),
    FOLLOW: ("ActiveState", "UnitFileState"),
    FOLLOW_PATH: ("ActiveState", "UnitFileState"),
}


class ScheduleStatus(Value):
    """The installed files, and systemd's properties of them; those are empty without systemd."""

    found: dict[PurePosixPath, FileState]
    timer: dict[str, str]
    service: dict[str, str]
    follower: dict[str, dict[str, str]] = {}  # noqa: RUF012 - never changed

    @property
    def scheduler(self) -> Scheduler | None:
        """The installed scheduler; None without one."""
        if UNITS / TIMER in self.found:
            return Scheduler.SYSTEMD
        return Scheduler.CRON if CRON in self.found else None


def standing(disk: Disk) -> ScheduleStatus:
    """The installed schedule. Changes nothing."""
    found: dict[PurePosixPath, FileState] = {path: disk.found(path) for path in PLACES}
    there = {path: found[path] for path in PLACES if found[path] is not FileState.ABSENT}
    asks = disk.root == ROOT and UNITS / TIMER in there
    timer, service = (_asked(unit) if asks else {} for unit in (TIMER, SERVICE))
    units = [unit for unit in (FOLLOW, FOLLOW_PATH) if asks and UNITS / unit in there]
    return ScheduleStatus(there, timer, service, {unit: _asked(unit) for unit in units})


def stopped(disk: Disk) -> bool:
    """Whether a timer or a follower is stopped, as far as systemd reports it."""
    found = standing(disk)
    return any(
        unit.get("ActiveState", "active") not in _AT_WORK
        for unit in (found.timer, *found.follower.values())
    )


def document(standing: ScheduleStatus) -> Json:
    """The installed schedule, as JSON values."""
    scheduler = standing.scheduler
    return {
        "action": "show",
        "scheduler": None if scheduler is None else scheduler.value,
        "files": [
            {"path": str(path), "found": what.value} for path, what in standing.found.items()
        ],
        "enabled": standing.timer.get("UnitFileState") == "enabled" if standing.timer else None,
        "active": standing.timer.get("ActiveState") == "active" if standing.timer else None,
        "next_run": standing.timer.get("NextElapseUSecRealtime") or None,
        "follower": _follower_document(standing.follower),
        "last_run": standing.service.get("ExecMainExitTimestamp") or None,
        "last_result": standing.service.get("Result") or None,
        "last_exit_code": _number(standing.service.get("ExecMainStatus")),
    }


def lines(standing: ScheduleStatus) -> Iterator[Line]:
    """The installed schedule, for people."""
    if standing.scheduler is None:
        yield Line(f"no schedule is installed; {INSTALL}")
    for path, what in standing.found.items():
        colour = "" if what in (FileState.CURRENT, FileState.OUTDATED) else "yellow"
        yield Line(f"{path}: {_SAID[what]}", colour)
    if standing.timer:
        for unit, asked in ((TIMER, standing.timer), *standing.follower.items()):
            yield _state(unit, asked)
        if standing.timer["NextElapseUSecRealtime"]:
            yield Line(f"next run: {standing.timer['NextElapseUSecRealtime']}")
    if standing.service.get("ExecMainExitTimestamp"):
        ended = standing.service["ExecMainExitTimestamp"]
        code = standing.service["ExecMainStatus"]
        yield Line(f"last run: {ended}, exit code {code}")


def _state(unit: str, asked: dict[str, str]) -> Line:
    """A unit's enabled and active states; unknown if systemd does not report them."""
    states = ", ".join(asked.get(one) or "unknown" for one in ("UnitFileState", "ActiveState"))
    return Line(f"{unit}: {states}", "" if states == "enabled, active" else "yellow")


def _follower_document(follower: dict[str, dict[str, str]]) -> Json | None:
    """Whether the follower is enabled and active; None if unknown."""
    if not follower:
        return None
    states = [(one.get("UnitFileState"), one.get("ActiveState")) for one in follower.values()]
    return {
        "enabled": all(enabled == "enabled" for enabled, _ in states),
        "active": all(active == "active" for _, active in states),
    }


def notes(plan: SchedulePlan) -> tuple[str, ...]:
    """Notes for the user who installs a schedule."""
    said = [f"a run every {plan.interval}, started by {plan.scheduler.value}"]
    if plan.scheduler is Scheduler.SYSTEMD and plan.shape.requirements.follower is not None:
        said.append(f"decisions of the fleet start one within seconds, by {FOLLOW}")
    if plan.scheduler is Scheduler.CRON:
        said.append("cron restores late at boot: the network may be up before the gate is")
        return tuple(said)
    because = plan.shape.requirements.root_because
    if not plan.shape.as_root:
        said.append("the service runs as the user allowsync, with CAP_NET_ADMIN")
    elif because:
        said.append(f"the service runs as root: {because}")
    if not plan.restores:
        said.append("nothing is to be restored at boot: what the targets hold outlives a restart")
    return tuple(said)


def work_document(
    work: InstallSteps, action: str, notes: tuple[str, ...], *, dry_run: bool
) -> Json:
    """The steps done or planned, as JSON values."""
    return {
        "action": action,
        "dry_run": dry_run,
        "write": [
            {"path": str(one.path), "mode": f"{one.mode:04o}", "content": marked(one.text)}
            for one in work.write
        ],
        "remove": [str(path) for path in work.remove],
        "commands": [list(argv) for argv in (*work.before, *work.after)],
        "notes": list(notes),
    }


def work_lines(work: InstallSteps, notes: tuple[str, ...], *, dry_run: bool) -> Iterator[Line]:
    """The steps done or planned, for people; in a dry run with the content of files."""
    if work.idle:
        yield Line("nothing to do: all is in place")
        return
    verbs = ("would run", "would remove", "would write") if dry_run else ("ran", "removed", "wrote")
    yield from (Line(f"{verbs[0]} {' '.join(argv)}") for argv in work.before)
    yield from (Line(f"{verbs[1]} {path}", "red") for path in work.remove)
    for piece in work.write:
        yield Line(f"{verbs[2]} {piece.path}", "green")
        if dry_run:
            yield from (Line(f"    {one}".rstrip()) for one in marked(piece.text).splitlines())
    yield from (Line(f"{verbs[0]} {' '.join(argv)}") for argv in work.after)
    yield from (Line(one) for one in notes)


def _asked(unit: str) -> dict[str, str]:
    """The properties of a unit in systemd; empty if it cannot be queried."""
    words = ("systemctl", "show", unit, f"--property={','.join(_ASKED[unit])}")
    try:
        done = run(Command(words, timeout=10.0))
    except CommandError:
        return {}
    if done.code != 0:
        return {}
    known = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {name: known.get(name, "") for name in _ASKED[unit]}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
