"""`allowsync status`: who is allowed where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json, instant
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus, TargetStatus
    from allowsync.schedule.files import Disk

SCHEMA = "allowsync.status/1"


@click.command()
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page that needs nothing else, instead of printing.",
)
@click.option(
    "--watch", "watched", is_flag=True, help="Show it on the terminal, kept current, until q."
)
@common
def status(invocation: Invocation, html: Path | None, watched: bool) -> int:
    """Who is allowed where, by which addresses, since when, until when, how fresh.

    What is wrong comes first, on standard error: targets that cannot be read, are out of sync, or
    guard a port that is open to strangers all the same; a schedule that starts no run, a last run
    that failed, and what 'allowsync check' finds on this machine alone: no name, nameserver,
    service in the network or friend's packet is tried. Exit code 1 if anything of that is wrong, 3
    if a host uses its last known address.

    Asks no DNS and writes nothing but the page that --html names.
    """
    from allowsync.inspect.status_problems import exit_code

    config = invocation.load(SCHEMA)
    if watched:
        return _watch(invocation, html)
    standing = _looked(invocation, config)
    code = exit_code(standing)
    if html is not None:
        _publish(invocation, config, standing, html.absolute())
    if invocation.json:
        from allowsync.report.json import status_document

        echo_json(status_document(standing, code))
        return int(code)
    from allowsync.report.text import status_lines, status_warnings

    invocation.echo(status_warnings(standing), err=True)
    if not invocation.quiet and html is None:
        invocation.echo(status_lines(standing))
    return int(code)


def _watch(invocation: Invocation, html: Path | None) -> int:
    """Show the status until the user has seen enough. Returns the exit code of the last one."""
    from allowsync.cli.watch import EVERY, obstacle, watch
    from allowsync.config import ConfigError
    from allowsync.inspect.status_problems import exit_code
    from allowsync.report.text import status_lines, status_warnings
    from allowsync.text import Line

    if html is not None or invocation.json:
        raise click.UsageError("--watch goes without --html and --output json")
    if why := obstacle():
        raise click.UsageError(why)
    codes = [ExitCode.IN_STEP]

    def lines() -> list[Line]:
        now = instant()
        head = f"{now:%Y-%m-%d %H:%M:%S} UTC, every {EVERY:g} s; r: now, q: end"
        try:
            standing = _looked(invocation, invocation.read())
        except ConfigError as error:
            codes.append(ExitCode.USAGE)
            told = [Line(f"{one.where}: {one.what}", "red") for one in error.problems]
            return [Line(head), Line(""), *told]
        codes.append(exit_code(standing))
        return [Line(head), Line(""), *status_warnings(standing), *status_lines(standing)]

    watch(lines, colour=invocation.colour)
    return int(codes[-1])


def _looked(invocation: Invocation, config: Config) -> AccessStatus:
    """Who is allowed where, and all that is wrong as far as no packet and no question tells it."""
    from allowsync.inspect.local_findings import errors
    from allowsync.inspect.status import look
    from allowsync.schedule.files import Disk
    from allowsync.schedule.upcoming import schedule_facts

    found, disk = look(config, instant()), Disk(Path("/"))
    return replace(
        found,
        targets=tuple(_opened(config, found)),
        notices=(*_unserved(config, disk), *found.notices),
        findings=errors(config, found),
        schedule=schedule_facts(invocation.place.absolute(), disk, found.now),
    )


def _opened(config: Config, standing: AccessStatus) -> Iterator[TargetStatus]:
    """The targets, with how strangers reach the ports of this machine that they guard."""
    from allowsync.inspect.packets import guarded, open_ports

    seen = list(open_ports(guarded(config, standing.targets), ExitCode.FAILED))
    for one in standing.targets:
        openings = tuple(each.what for each in seen if each.where == one.target)
        yield replace(one, openings=openings)


def _unserved(config: Config, disk: Disk) -> Iterator[Notice]:
    """Targets and channels that scheduled runs cannot serve, though we can."""
    from allowsync.schedule.service_user import broken_targets, closed_channels

    found = broken_targets(config, disk)
    yield from (one for one in found if not config.is_broken(one.where))
    yield from closed_channels(config, disk)


def _publish(invocation: Invocation, config: Config, standing: AccessStatus, path: Path) -> None:
    """Write the page.

    Raises:
        Stop: It could not be written; said, exit code 1.
    """
    from allowsync.report.html_publish import publish

    why = publish(path, config, standing)
    if why:
        what = f"the page could not be written: {why}"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(path), what)])
