"""`allowsync apply`: its options, as click reads them and shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.cli.apply_arguments import ApplyArguments
from allowsync.cli.apply_run import apply_once
from allowsync.cli.common import common
from allowsync.cli.confirm_prompt import may_confirm, span
from allowsync.cli.scope import only_targets
from allowsync.cli.time_argument import Later

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from allowsync.cli.common import Invocation


@click.command()
@click.option(
    "-n", "--dry-run", is_flag=True, help="Show what would be done; write nothing at all."
)
@only_targets(help="Only this allowlist, or this one target, such as web/file. May be repeated.")
@click.option("--force", is_flag=True, help="Apply what limits refuse.")
@click.option(
    "--offline", is_flag=True, help="Query no DNS; restore the last known entries (at boot)."
)
@click.option(
    "--confirm",
    callback=span,
    metavar="TIME",
    help="Roll everything back unless you type yes within this time, such as 60s.",
)
@click.option(
    "--detailed-exitcode", is_flag=True, help="With --dry-run: exit 10 if there are changes."
)
@click.option(
    "--assume",
    multiple=True,
    metavar="HOST=ANSWER",
    help="With --dry-run: assume this DNS answer: SERVFAIL, TIMEOUT, NXDOMAIN, NODATA, or "
    "addresses, separated by commas. May be repeated.",
)
@click.option(
    "--at",
    type=Later(),
    metavar="TIME",
    help="With --dry-run: the state at that time, if every run until then gets the same answers: "
    "+3d, or a date.",
)
@click.option(
    "--log",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The format of changes and problems: text, or lines of JSON.",
)
@common
def apply(
    invocation: Invocation,
    dry_run: bool,
    only: tuple[str, ...],
    force: bool,
    offline: bool,
    confirm: timedelta | None,
    detailed_exitcode: bool,
    assume: tuple[str, ...],
    at: datetime | None,
    log: str,
) -> int:
    """Sync every target with the DNS once.

    Resolves all hostnames, compares with what the targets really hold, applies the difference and
    reads it back. Prints nothing when nothing changed and nothing is wrong.

    With --dry-run, --assume and --at rehearse an outage or a move by what is known today: who would
    be in and out, and when each would lose access.
    """
    wanted = ApplyArguments(
        invocation, only, dry_run, force, offline, detailed_exitcode, log, assume, at
    )
    if wanted.conflict:
        raise click.UsageError(wanted.conflict)
    if confirm is not None:
        may_confirm(dry_run=dry_run, machine=invocation.json or log == "json")
    if wanted.rehearses:
        from allowsync.cli.rehearse import rehearse_once

        return rehearse_once(wanted)
    return apply_once(wanted, confirm)
