"""`allowsync follow`: wait for decisions of a fleet, and start the runs that apply them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from allowsync.fleet.wakeups import Wakeup

SCHEMA = "allowsync.follow/1"


@click.command()
@click.option(
    "--touch",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the names into FILE, for a path unit of systemd.",
)
@click.option(
    "--every",
    type=click.FloatRange(1, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look at a store that cannot be watched (a folder, a web server).",
)
@common
def follow(invocation: Invocation, touch: Path | None, every: float) -> int:
    """Wait for decisions of the fleet, and print the lists that changed, a line each time.

    Changes nothing and needs no rights over a firewall: what it prints wakes a run. It holds a
    watch where the store is etcd. Where the store cannot be had it says so, and tries again, for
    ever. Ends by a signal.
    """
    from allowsync.engine.fleet.followed import shared
    from allowsync.fleet.wakeups import wakeups

    config = invocation.load(SCHEMA)
    if config.fleet is None:
        what = "this machine belongs to no fleet: there is no section 'fleet'"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice(str(config.path), what)])
    trouble = ""
    for one in wakeups(config.fleet, shared(config), every):
        if one.trouble and one.trouble != trouble:
            click.echo(f"fleet {config.fleet.name}: {one.trouble}; it is tried again", err=True)
        trouble = one.trouble
        if not one.trouble:
            _wake(invocation, one, touch)
    return 0


def _wake(invocation: Invocation, one: Wakeup, touch: Path | None) -> None:
    names = " ".join(one.lists)
    if touch is not None:
        try:
            touch.write_text(f"{names}\n")  # in place: a path unit watches for its close
        except OSError as error:
            what = f"not written: {error.strerror}; no run is woken"
            invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(touch), what)])
    told = {"schema": SCHEMA, "lists": list(one.lists)}
    click.echo(json.dumps(told) if invocation.json else names)
