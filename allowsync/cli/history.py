"""`allowsync history`: changes, with their times and reasons."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common, echo_json, instant
from allowsync.cli.completion_values import hosts as complete
from allowsync.cli.time_argument import When
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.report.events import HistoryEvent
    from allowsync.state.history import Past

SCHEMA = "allowsync.history/1"
DEFAULT_SPAN = timedelta(days=7)


@click.command()
@click.argument("host", required=False, shell_complete=complete)
@click.option(
    "--since",
    type=When(),
    help="How far back: 7d, 36h, 2026-11-20, 2026-11-20T18:30. Default: 7d.",
)
@common
def history(invocation: Invocation, host: str | None, since: datetime | None) -> int:
    """Show what changed, when, and why; of one HOST, or of all of them and their targets.

    Reads what earlier runs wrote down, asks no DNS and looks at no firewall. Exit code 1 if that
    cannot be read.
    """
    from allowsync.report.events import events
    from allowsync.state import StateError, Store

    config = invocation.load(SCHEMA)
    start = instant() - DEFAULT_SPAN if since is None else since
    try:
        with Store.reading(config.state) as store:
            past = store.past(start)
            known = [*config.hosts, *sorted(store.hosts_on_record() - config.hosts.keys())]
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), error.why)])
    choose(invocation, SCHEMA, () if host is None else (host,), known, "host")
    _say(invocation, events(past, start, host), start, past)
    return int(ExitCode.IN_STEP)


def _say(invocation: Invocation, happened: list[HistoryEvent], start: datetime, past: Past) -> None:
    from allowsync.report.history import history_document, history_lines

    if invocation.json:
        echo_json(history_document(happened, start, past.first_run, [], int(ExitCode.IN_STEP)))
        return
    invocation.echo(history_lines(happened))
    if happened or invocation.quiet:
        return
    from allowsync.text import Line

    nothing = f"nothing changed since {start:%Y-%m-%d %H:%M} UTC"
    invocation.echo([Line("no run is on record" if past.first_run is None else nothing)])
