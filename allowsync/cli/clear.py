"""`allowsync clear`: remove everything allowsync owns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common, echo_json, instant
from allowsync.cli.completion_values import targets
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from allowsync.config.settings import Config
    from allowsync.engine.clear import Cleared, Owned
    from allowsync.state import Store

SCHEMA = "allowsync.clear/1"


@click.command()
@click.option(
    "--only",
    multiple=True,
    metavar="ALLOWLIST|TARGET",
    shell_complete=targets,
    help="Only this allowlist, or this target. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def clear(invocation: Invocation, only: tuple[str, ...], yes: bool) -> int:
    """Remove everything allowsync owns, after a question.

    That includes targets that are configured no more. What others put beside it stays. With a gate
    gone, its ports are as open as the rest of your firewall leaves them.
    """
    from allowsync.state import Busy, Lock, StateUnwritable

    config = invocation.load(SCHEMA)
    try:
        try:
            with Lock(config.state, config.path):
                cleared = _cleared(invocation, config, only, yes=yes)
        except StateUnwritable:
            # Who is locked out waits for no disk; where no lock can be made, no run has one.
            cleared = _cleared(invocation, config, only, yes=yes)
    except Busy as error:
        invocation.stop(SCHEMA, error.code, [Notice(str(error.path), str(error))])
    return _tell(invocation, cleared)


def _cleared(
    invocation: Invocation, config: Config, only: tuple[str, ...], *, yes: bool
) -> list[Cleared]:
    from allowsync.engine.clear import clear_all, opened

    with opened(config.state) as store:
        owned = _choose(invocation, config, store, only)
        if not yes:
            _ask(invocation, owned)
        return clear_all(owned, store, instant())


def _choose(
    invocation: Invocation, config: Config, store: Store, only: tuple[str, ...]
) -> list[Owned]:
    from allowsync.engine.clear import everything

    owned = everything(config, store)
    mine = [name for one in owned for name in (one.allowlist, one.name)]
    known = dict.fromkeys([*config.allowlists, *mine])
    choose(invocation, SCHEMA, only, known, "allowlist or target")
    return [one for one in owned if not only or not {one.allowlist, one.name}.isdisjoint(only)]


def _ask(invocation: Invocation, owned: list[Owned]) -> None:
    names = ", ".join(one.name for one in owned)
    if not sys.stdin.isatty():
        what = f"would clear {names}; without a terminal to ask at, say --yes"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    click.confirm(f"Remove everything allowsync put into {names}?", abort=True, err=True)


def _tell(invocation: Invocation, cleared: list[Cleared]) -> int:
    from allowsync.text import Line

    wrong = any(one.reason or one.unrecorded for one in cleared)
    code = ExitCode.FAILED if wrong else ExitCode.IN_STEP
    if invocation.json:
        targets = [
            {
                "target": one.name,
                "outcome": "failed" if one.reason else "cleared",
                "reason": one.reason or one.unrecorded or None,
            }
            for one in cleared
        ]
        echo_json({"schema": SCHEMA, "exit_code": int(code), "targets": targets, "problems": []})
        return int(code)
    for one in cleared:
        if one.reason:
            invocation.echo([Line(f"{one.name}: could not be cleared: {one.reason}")], err=True)
        elif one.unrecorded:
            what = f"{one.name}: cleared, but {one.unrecorded}"
            invocation.echo([Line(f"{what}; a schedule that is active puts it up again")], err=True)
        elif not invocation.quiet:
            invocation.echo([Line(f"{one.name}: cleared")])
    return int(code)
