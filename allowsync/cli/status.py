"""`allowsync status`: who is allowed where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json, instant
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace

if TYPE_CHECKING:
    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus

SCHEMA = "allowsync.status/1"


@click.command()
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page that needs nothing else, instead of printing.",
)
@common
def status(invocation: Invocation, html: Path | None) -> int:
    """Who is allowed where, by which addresses, since when, until when, how fresh.

    What is wrong comes first, on standard error. Asks no DNS and writes nothing but the page that
    --html names. Exit code 1 if a target cannot be read, is out of sync, or guards a port that is
    open to strangers all the same, 3 if a host uses its last known address.
    """
    from allowsync.inspect.status import look

    config = invocation.load(SCHEMA)
    standing = look(config, instant())
    more = (*_open_ports(config, standing), *_unserved(config))
    standing = replace(standing, notices=(*more, *standing.notices))
    code = standing.exit_code
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


def _open_ports(config: Config, standing: AccessStatus) -> list[Notice]:
    """Ports of this machine that strangers reach though a target guards them."""
    from allowsync.inspect.packets import guarded, open_ports

    return list(open_ports(guarded(config, standing.targets), ExitCode.FAILED))


def _unserved(config: Config) -> list[Notice]:
    """Targets and channels that scheduled runs cannot serve, though we can."""
    from allowsync.schedule.files import Disk
    from allowsync.schedule.service_user import broken_targets, closed_channels

    disk = Disk(Path("/"))
    found = [one for one in broken_targets(config, disk) if not config.is_broken(one.where)]
    return [*found, *closed_channels(config, disk)]


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
