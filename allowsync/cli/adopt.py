"""`allowsync adopt`: take over entries that were added by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, agreed, choose, common, echo_json, instant
from allowsync.cli.completion_values import allowlists
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.engine.adopt import Adoptable
    from allowsync.text import Line

SCHEMA = "allowsync.adopt/1"


@click.command()
@click.option(
    "--only",
    multiple=True,
    metavar="ALLOWLIST",
    shell_complete=allowlists,
    help="Only this allowlist. May be repeated.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only show the entries that would be adopted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def adopt(invocation: Invocation, only: tuple[str, ...], dry_run: bool, yes: bool) -> int:
    """Take over entries that were added by hand, after a question.

    Only what is just as allowsync would put it, and wanted as of the last run. Who is let in stays
    the same; but from then on it follows its host, and goes when the host moves or leaves. Nothing
    is ever adopted without this command.
    """
    from allowsync.engine.adopt import adopt as make_ours
    from allowsync.engine.adopt import adoptable
    from allowsync.state import Busy, Lock, StateError, Store

    config = invocation.load(SCHEMA)
    choose(invocation, SCHEMA, only, config.allowlists, "allowlist")
    try:
        if dry_run:
            with Store.reading(config.state) as store:
                found = adoptable(config, store, instant(), only)
            return _tell(invocation, found, done=False)
        with Lock(config.state, config.path), Store.reading(config.state) as store:
            found = adoptable(config, store, instant(), only)
            if not yes and any(one.entries for one in found):
                _ask(invocation, found)
            return _tell(invocation, make_ours(found), done=True)
    except Busy as error:
        invocation.stop(SCHEMA, error.code, [Notice(str(error.path), str(error))])
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), error.why)])


def _ask(invocation: Invocation, found: Sequence[Adoptable]) -> None:
    if not sys.stdin.isatty():
        names = ", ".join(one.target for one in found if one.entries)
        what = f"would adopt entries of {names}; without a terminal for the question, pass --yes"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    invocation.echo(_lines(found, done=False), err=True)
    agreed("Adopt these entries?")


def _tell(invocation: Invocation, found: Sequence[Adoptable], *, done: bool) -> int:
    from allowsync.text import Line

    code = ExitCode.FAILED if any(one.reason for one in found) else ExitCode.IN_STEP
    if invocation.json:
        echo_json(_document(found, code, done=done))
        return int(code)
    for one in found:
        if one.reason:
            what = f"{one.target}: nothing could be adopted: {one.reason}"
            invocation.echo([Line(what)], err=True)
    if not invocation.quiet:
        nothing = [Line("nothing to adopt")] if code is ExitCode.IN_STEP else []
        invocation.echo(list(_lines(found, done=done)) or nothing)
    return int(code)


def _lines(found: Sequence[Adoptable], *, done: bool) -> Iterator[Line]:
    from allowsync.text import Line, counted

    for one in found:
        if not one.entries or one.reason:
            continue
        yield Line(one.target)
        for entry in one.entries:
            address = str(entry.network).removesuffix("/32").removesuffix("/128")
            yield Line(f"  = {address:<22} {', '.join(entry.hosts)}")
        number = counted(len(one.entries), "entry", "entries")
        yield Line(f"  {number} {'adopted' if done else 'to adopt'}")


def _document(found: Sequence[Adoptable], code: ExitCode, *, done: bool) -> dict[str, object]:
    targets = [
        {
            "target": one.target,
            "outcome": _outcome(one, done=done),
            "adopt": [
                {"network": str(entry.network), "hosts": list(entry.hosts)} for entry in one.entries
            ],
            "reason": one.reason or None,
        }
        for one in found
    ]
    return {
        "schema": SCHEMA,
        "dry_run": not done,
        "exit_code": int(code),
        "targets": targets,
        "problems": [],
    }


def _outcome(one: Adoptable, *, done: bool) -> str:
    if one.reason:
        return "failed"
    if not one.entries:
        return "unchanged"
    return "adopted" if done else "planned"
