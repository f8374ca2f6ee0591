"""`allowsync schedule`: scheduled runs, by a systemd timer or a cron entry."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, agreed, common, echo_json
from allowsync.cli.options import CommonGroup
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allowsync.config.settings import Config
    from allowsync.schedule.dropin import ServiceSpec
    from allowsync.schedule.files import Disk
    from allowsync.schedule.install import InstallSteps
    from allowsync.schedule.interval import Interval
    from allowsync.schedule.units import SchedulePlan

SCHEMA = "allowsync.schedule/1"

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default="/",
    show_default=True,
    help="The root of the system to work on, while it does not run (to build an image).",
)
_FORCE = click.option(
    "--force", is_flag=True, help="Also replace or remove files that were changed by hand."
)
_DRY_RUN = click.option(
    "-n", "--dry-run", is_flag=True, help="Show what would be done; write nothing."
)


@click.group(cls=CommonGroup)
def schedule() -> None:
    """Manage the schedule: a systemd timer or a cron entry."""


@schedule.command()
@_DRY_RUN
@click.option(
    "--systemd/--cron",
    "by_systemd",
    default=None,
    help="The scheduler. Default: systemd if it runs, else cron.",
)
@click.option(
    "--interval", default="5m", show_default=True, metavar="DURATION", help="How often: 1m to 12h."
)
@click.option("--as-root", is_flag=True, help="Run as root even if the targets need no root.")
@click.option(
    "--force",
    is_flag=True,
    help="Also replace files that were changed by hand.",
)
@_ROOT
@common
def install(
    invocation: Invocation,
    dry_run: bool,
    by_systemd: bool | None,
    interval: str,
    as_root: bool,
    force: bool,
    root: Path,
) -> int:
    """Install the schedule: run every few minutes, and restore the last known entries at boot.

    Reads the configuration, to allow the service what its targets need and nothing else. Do it
    again after you added a target of another kind. Does nothing when all is in place. Refused
    where the runs would cut off the SSH session it is typed into.
    """
    from allowsync.schedule.files import Disk
    from allowsync.schedule.install import installation
    from allowsync.schedule.interval import Interval
    from allowsync.schedule.status import notes, stopped

    try:
        chosen = Interval.parse(interval)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--interval") from error
    disk = Disk(root.absolute())
    plan = _plan(invocation, Wish(disk.root, by_systemd, chosen, as_root))
    still = stopped(disk)
    work = _work(invocation, lambda: installation(plan, disk, force=force, stopped=still))
    _as_root(invocation, work, "installed", dry_run=dry_run)
    if not work.idle and disk.root == Path("/"):
        _keep_session(invocation, dry_run=dry_run)
    unknown = [Notice(*one) for one in plan.shape.requirements.unknown]
    return _end(invocation, work, "install", notes(plan), unknown, dry_run=dry_run)


def _keep_session(invocation: Invocation, *, dry_run: bool) -> None:
    """Refuse a schedule whose first run would cut off this session. A dry run only warns."""
    from allowsync.cli.own_session import cut_off_by, refuse, warn

    if not (found := cut_off_by(invocation.load(SCHEMA))):
        return
    if not dry_run:
        refuse(invocation, SCHEMA, found)
    warn(invocation, found)


@schedule.command()
@_DRY_RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
@_FORCE
@_ROOT
@common
def remove(invocation: Invocation, dry_run: bool, yes: bool, force: bool, root: Path) -> int:
    """Uninstall the schedule, after a question. Entries in the targets stay as they are."""
    from allowsync.schedule.files import Disk
    from allowsync.schedule.install import removal

    disk = Disk(root.absolute())
    work = _work(invocation, lambda: removal(disk, force=force))
    _as_root(invocation, work, "removed", dry_run=dry_run)
    if not (work.idle or dry_run or yes):
        _ask(invocation, work)
    note = "entries in the targets stay; 'allowsync clear' removes them"
    return _end(invocation, work, "remove", () if work.idle else (note,), dry_run=dry_run)


@schedule.command()
@_ROOT
@common
def show(invocation: Invocation, root: Path) -> int:
    """Show what is installed, when it runs next, and how the last run ended.

    Exit code 1 if a scheduled run is known to be unable to serve a target.
    """
    from allowsync.report.json import problems
    from allowsync.schedule.files import Disk
    from allowsync.schedule.status import document, lines, standing

    disk = Disk(root.absolute())
    found, broken = standing(disk), _broken(invocation, disk)
    code = ExitCode.FAILED if broken else ExitCode.IN_STEP
    if invocation.json:
        shown, told = document(found), problems(broken)
        echo_json({"schema": SCHEMA, "exit_code": int(code), **shown, "problems": told})
    else:
        invocation.echo(lines(found))
    _warn(invocation, "", broken)
    return code


def _broken(invocation: Invocation, disk: Disk) -> list[Notice]:
    """Notices of all that scheduled runs cannot serve; empty without a valid configuration."""
    from allowsync.config import ConfigError, load
    from allowsync.schedule.service_user import (
        broken_targets,
        closed_channels,
        closed_hosts_file,
        unread_files,
    )

    if disk.root != Path("/"):
        return []
    try:
        place, uid = invocation.place, os.geteuid()
        config = load(place, environ=os.environ, uid=uid, state=invocation.state)
    except ConfigError:
        return []
    channels = (*config.broken_channels, *closed_channels(config, disk))
    targets = (*broken_targets(config, disk), *unread_files(config))
    return [*targets, *channels, *closed_hosts_file(config, disk)]


def renew(invocation: Invocation, before: Config | None, root: Path) -> None:
    """Write the configuration's schedule again, if there is one and it would change.

    Args:
        invocation: The command, with its configuration.
        before: The previous configuration; None if it was not valid.
        root: The root of the system.
    """
    from allowsync.schedule import detect as machine
    from allowsync.schedule.files import Disk
    from allowsync.schedule.install import installation
    from allowsync.schedule.renewal import installed
    from allowsync.schedule.requirements import requirements
    from allowsync.schedule.status import notes
    from allowsync.schedule.units import Scheduler

    disk, place = Disk(root), _service_place(invocation, root)
    known = installed(disk, place, machine.offset(root))
    if known is None:
        return
    needed = before is not None and bool(requirements(before, place).root_because)
    by_systemd = known.scheduler is Scheduler.SYSTEMD
    plan = _plan(invocation, Wish(root, by_systemd, known.interval, known.as_root and not needed))
    work = _work(invocation, lambda: installation(plan, disk, force=False))
    if not work.idle:
        unknown = [Notice(*one) for one in plan.shape.requirements.unknown]
        _end(invocation, work, "install", notes(plan), unknown, dry_run=False)


def _service_place(invocation: Invocation, root: Path) -> Path:
    """The path of the configuration for the service."""
    from allowsync.schedule.requirements import CONFIGURATION

    place = invocation.place.absolute()
    return CONFIGURATION if root != Path("/") and invocation.config is None else place


class Wish(Value):
    """The request: root, scheduler (None: the one found), interval."""

    root: Path
    by_systemd: bool | None
    interval: Interval
    as_root: bool


def _plan(invocation: Invocation, wish: Wish) -> SchedulePlan:
    from allowsync.cli.configuration_lookup import as_root
    from allowsync.config.secure_file import RefusedError
    from allowsync.schedule import detect as machine
    from allowsync.schedule.dropin import ENVIRONMENT
    from allowsync.schedule.units import SchedulePlan, Scheduler

    try:
        program = machine.program(wish.root)
        scheduler = machine.scheduler(wish.root) if wish.by_systemd is None else None
        environ = machine.environment(os.environ, os.geteuid(), wish.root)
    except machine.Unsuitable as error:
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("schedule", str(error))])
    except RefusedError as error:
        advice = f"; run it as root: {as_root()}" if os.geteuid() else ""
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice(ENVIRONMENT, f"{error}{advice}")])
    if scheduler is None:
        scheduler = Scheduler.SYSTEMD if wish.by_systemd else Scheduler.CRON
    config, place = _configuration(invocation, wish.root, environ)
    shape = _shape(invocation, config, place, program, as_root=wish.as_root)
    return SchedulePlan(scheduler, wish.interval, shape, place, machine.offset(wish.root))


def _configuration(
    invocation: Invocation, root: Path, environ: dict[str, str]
) -> tuple[Config, Path]:
    """The configuration, and its path for the service. Stops if it is not valid."""
    from allowsync.config import ConfigError, load

    place = _service_place(invocation, root)
    file = root / place.relative_to("/")
    try:
        found = load(file, environ=environ, uid=os.geteuid(), state=invocation.state, root=root)
    except ConfigError as error:
        here = file == invocation.place.absolute()
        problems = [Notice(one.where, one.what) for one in error.problems]
        invocation.stop(SCHEMA, ExitCode.USAGE, invocation.refused(error) if here else problems)
    _warn(invocation, "", list(found.broken_channels))
    return found, place


def _shape(
    invocation: Invocation, config: Config, place: Path, program: str, *, as_root: bool
) -> ServiceSpec:
    from allowsync.schedule.dropin import ServiceSpec
    from allowsync.schedule.requirements import CONFIGURATION, requirements

    arguments: list[str] = []
    if place != CONFIGURATION:
        arguments += ["--config", str(place)]
    if invocation.state is not None:
        arguments += ["--state", str(invocation.state)]
    found = requirements(config, place)
    return ServiceSpec(found, program, tuple(arguments), as_root or bool(found.root_because))


def _work(invocation: Invocation, make: Callable[[], InstallSteps]) -> InstallSteps:
    from allowsync.schedule.files import FileState
    from allowsync.schedule.install import ConflictingFiles

    said = {
        FileState.FOREIGN: "is not a file of 'allowsync schedule'; --force replaces it",
        FileState.EDITED: "was changed by hand; keep your changes in a file of your own beside it "
        "('systemctl edit'), then --force",
    }
    try:
        return make()
    except ConflictingFiles as error:
        notices = [Notice(str(path), said[found]) for path, found in error.paths]
        invocation.stop(SCHEMA, ExitCode.USAGE, notices)
    except OSError as error:
        notice = Notice(str(error.filename), f"cannot be read: {error.strerror}")
        invocation.stop(SCHEMA, ExitCode.FAILED, [notice])


def _as_root(invocation: Invocation, work: InstallSteps, done: str, *, dry_run: bool) -> None:
    """Stop before the first step if only root may do it on this system."""
    from allowsync.cli.configuration_lookup import as_root

    if os.geteuid() and work.disk.root == Path("/") and not (dry_run or work.idle):
        what = f"not {done}: only root may do that; nothing was changed; run: {as_root()}"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice("schedule", what)])


def _ask(invocation: Invocation, work: InstallSteps) -> None:
    from allowsync.text import Line, counted

    if not sys.stdin.isatty():
        names = ", ".join(str(path) for path in work.remove)
        what = f"would remove {names}; without a terminal for the question, pass --yes"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    invocation.echo([Line(str(path)) for path in work.remove], err=True)
    agreed(f"Remove {counted(len(work.remove), 'file')}?")


def _end(
    invocation: Invocation,
    work: InstallSteps,
    action: str,
    notes: tuple[str, ...],
    unknown: Sequence[Notice] = (),
    *,
    dry_run: bool,
) -> int:
    """Carry out the steps, unless this is a dry run, and report them.

    `unknown` are targets whose requirements are not known: the schedule does not cover them.
    """
    from allowsync.report.json import problems
    from allowsync.schedule.install import InstallFailed
    from allowsync.schedule.status import work_document, work_lines

    if not dry_run:
        try:
            work.carry_out()
        except InstallFailed as error:
            what = f"{error}; the remaining steps were skipped"
            invocation.stop(SCHEMA, ExitCode.FAILED, [Notice("schedule", what)])
    code = ExitCode.FAILED if unknown else ExitCode.IN_STEP
    if invocation.json:
        said = work_document(work, action, notes, dry_run=dry_run)
        told = problems(unknown)
        echo_json({"schema": SCHEMA, "exit_code": int(code), **said, "problems": told})
    elif not invocation.quiet:
        invocation.echo(work_lines(work, notes, dry_run=dry_run), verbatim=dry_run)
    _warn(invocation, "its needs are unknown: ", unknown)
    return code


def _warn(invocation: Invocation, what: str, broken: Sequence[Notice]) -> None:
    from allowsync.text import Line

    invocation.echo((Line(f"{one.where}: {what}{one.what}", "red") for one in broken), err=True)
