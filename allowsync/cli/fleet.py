"""`allowsync fleet`: machines that share decisions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json, instant
from allowsync.cli.fleet_split import split
from allowsync.cli.options import CommonGroup
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace
from allowsync.text import Line, said

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.fleet import FleetReport, SharedList

KEYGEN_SCHEMA = "allowsync.fleet.keygen/1"
STATUS_SCHEMA = "allowsync.fleet.status/1"


@click.group(cls=CommonGroup)
def fleet() -> None:
    """Machines that share decisions: one resolves and decides, the others follow."""


@fleet.command()
@click.argument("file", type=click.Path(path_type=Path))
@common
def keygen(invocation: Invocation, file: Path) -> int:
    """Make a pair of keys: the private one goes into FILE, the public one is printed.

    The private key is for the machines that publish (fleet.signing_key_file). The public one goes
    into fleet.keys of every machine. FILE must not be there yet.
    """
    from allowsync.config.installed import lacking_for_fleet

    if why := lacking_for_fleet():
        invocation.stop(KEYGEN_SCHEMA, ExitCode.FAILED, [Notice("fleet", why)])
    from allowsync.fleet.envelope import new_signing_key, public_key_of

    private = new_signing_key()
    try:
        _write_new(file, f"{private}\n")
    except OSError as error:
        what = f"not written: {error.strerror}"
        invocation.stop(KEYGEN_SCHEMA, ExitCode.FAILED, [Notice(str(file), what)])
    public = public_key_of(private)
    if invocation.json:
        document = {"schema": KEYGEN_SCHEMA, "exit_code": 0, "file": str(file), "public": public}
        echo_json({**document, "problems": []})
    else:
        invocation.echo([Line(public)], verbatim=True)
    return 0


def _write_new(path: Path, content: str) -> None:
    """Write a file that only its owner can read. Raises OSError if it exists."""
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)


@fleet.command()
@common
def status(invocation: Invocation) -> int:
    """Tell who leads, and for each list which document is held here and how old it is.

    A machine that publishes also shows what each machine said of its last run, where the store is
    etcd. Looks at the store, and changes nothing. Exit code 3 if a list has no new document.
    """
    from allowsync.cli.fleet_machines import machine_documents, machine_lines, machines

    config = invocation.load(STATUS_SCHEMA)
    if config.fleet is None:
        what = "this machine belongs to no fleet: there is no section 'fleet'"
        invocation.stop(STATUS_SCHEMA, ExitCode.USAGE, [Notice(str(config.path), what)])
    leader, problems = _leader(config)
    report = replace(_report(config), leader=leader)
    found, unheard = machines(config) if report.heard else (None, [])
    problems += unheard
    old = any(one.trouble or one.sequence is None for one in report.lists)
    code = ExitCode.OLD_KNOWLEDGE if old else ExitCode.IN_STEP
    if invocation.json:
        from allowsync.report.json import fleet_document
        from allowsync.report.json import problems as told

        document = {"schema": STATUS_SCHEMA, "exit_code": int(code)}
        shown = {**fleet_document(report), "machines": machine_documents(found, report)}
        echo_json({**document, "fleet": shown, "problems": told(problems)})
    else:
        now = instant()
        invocation.echo([*_lines(report, now), *machine_lines(found, report, now)])
        invocation.echo([Line(f"{one.where}: {one.what}", "red") for one in problems], err=True)
    return int(code)


def _report(config: Config) -> FleetReport:
    """The fleet report of a run at this time."""
    from allowsync.engine.fleet.view import view_of
    from allowsync.engine.options import Request
    from allowsync.policy.clock import Now

    return view_of(config, Request(dry_run=True), Now(instant())).report


def _leader(config: Config) -> tuple[str, list[Notice]]:
    """The leader, on a machine that could lead; or the reason why it is unknown."""
    from allowsync.fleet.store import StoreError
    from allowsync.fleet.stores import writable_store

    if config.fleet is None or not any(one.publish for one in config.allowlists.values()):
        return "", []
    try:
        return writable_store(config.fleet).leader(), []
    except StoreError as error:
        return "", [Notice("leader", f"not known: {error}")]


def _lines(report: FleetReport, now: datetime) -> list[Line]:
    leads = f": {report.leader} leads" if report.leader else ""
    return [Line(f"fleet {report.name}{leads}"), *(_line(one, now) for one in report.lists)]


def _line(one: SharedList, now: datetime) -> Line:
    what = "no document"
    if one.decided is not None:
        ago = said(max(now - one.decided, timedelta(0)))
        what = f"epoch {one.epoch}, sequence {one.sequence}, decided {ago} ago"
    why = f"; no new document: {one.trouble}" if one.trouble else ""
    role = "publish" if one.publishes else "follow"
    return Line(f"  {one.name} ({role}): {what}{why}", "red" if why else "")


fleet.add_command(split)
