"""`allowsync status`: the access of hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json, instant
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from allowsync.config.settings import Config
    from allowsync.inspect.status import AccessStatus

SCHEMA = "allowsync.status/1"


@click.command()
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a self-contained page instead of printing.",
)
@click.option(
    "--watch", "watched", is_flag=True, help="Show it on the terminal and update it, until q."
)
@click.option(
    "--seen", is_flag=True, help="Show when the networks of each host last sent a packet."
)
@common
def status(invocation: Invocation, html: Path | None, watched: bool, seen: bool) -> int:
    """Show who is allowed where, by which addresses, since when, until when, how fresh.

    What is wrong comes first, on standard error: targets that cannot be read, are out of sync, or
    guard a port that is open to strangers all the same; a schedule that starts no run, a last run
    that failed, and what 'allowsync check' finds on this machine alone: no name, nameserver,
    service in the network or friend's packet is tried. Exit code 1 if anything of that is wrong, 3
    if a host uses its last known address.

    With --seen: when each host's networks last sent a packet to what is guarded, where the firewall
    counts them (nftables gates, ipset, UFW). UFW's rules see the first packet of a connection only.

    Asks no DNS and writes nothing but the page that --html names.
    """
    from allowsync.cli.full_status import full_status
    from allowsync.inspect.status_problems import exit_code

    config = invocation.load(SCHEMA)
    if watched:
        return _watch(invocation, html, seen=seen)
    standing = full_status(config, instant())
    code = exit_code(standing)
    if html is not None:
        _publish(invocation, config, standing, html.absolute())
    if invocation.json:
        from allowsync.report.json import status_document

        echo_json(status_document(standing, code))
        return int(code)
    from allowsync.report.text import status_lines, status_warnings

    listed = not invocation.quiet and html is None
    invocation.echo(status_warnings(standing, beside=listed), err=True)
    if listed:
        invocation.echo(status_lines(standing, seen=seen))
    return int(code)


def _watch(invocation: Invocation, html: Path | None, *, seen: bool) -> int:
    """Show the status until the user quits. Returns the exit code of the last one."""
    from allowsync.cli.full_status import full_status
    from allowsync.cli.watch import EVERY, obstacle, watch
    from allowsync.config import ConfigError
    from allowsync.inspect.status_problems import exit_code
    from allowsync.report.text import status_lines, status_warnings
    from allowsync.text import Line

    if html is not None or invocation.json:
        raise click.UsageError("--watch excludes --html and --output json")
    if why := obstacle():
        raise click.UsageError(why)
    codes = [ExitCode.IN_STEP]

    def lines() -> list[Line]:
        now = instant()
        head = f"{now:%Y-%m-%d %H:%M:%S} UTC, every {EVERY:g} s; r: now, q: end"
        try:
            standing = full_status(invocation.read(), instant())
        except ConfigError as error:
            codes.append(ExitCode.USAGE)
            told = [Line(f"{one.where}: {one.what}", "red") for one in error.problems]
            return [Line(head), Line(""), *told]
        codes.append(exit_code(standing))
        return [
            Line(head),
            Line(""),
            *status_warnings(standing, beside=True),
            *status_lines(standing, seen=seen),
        ]

    watch(lines, colour=invocation.colour)
    return int(codes[-1])


def _publish(invocation: Invocation, config: Config, standing: AccessStatus, path: Path) -> None:
    """Write the page.

    Raises:
        Stop: It could not be written; reported, exit code 1.
    """
    from allowsync.report.html_publish import publish

    why = publish(path, config, standing)
    if why:
        what = f"the page could not be written: {why}"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(path), what)])
