"""`allowsync host`: add, remove and list hosts without an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json
from allowsync.cli.completion_values import hosts as complete_hosts
from allowsync.cli.options import CommonGroup
from allowsync.cli.scope import on_allowlists
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from allowsync.config.settings import Config
    from allowsync.plan.result import RunReport
    from allowsync.setup.host_edit import ConfigurationText
    from allowsync.setup.replacement import ConfigFile
    from allowsync.text import Line

SCHEMA = "allowsync.host/1"

_DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Show the change; write nothing.")
_FORCE = click.option(
    "--force", is_flag=True, help="Change it even if that cuts off your own SSH session."
)
_APPLY = click.option("--apply", "at_once", is_flag=True, help="Apply the configuration at once.")


class EditOptions(Value):
    """The options of an edit of the configuration.

    Attributes:
        dry_run: Show the change only.
        at_once: Apply the configuration once it is written.
        force: Edit even if that cuts off the user's own session.
        on: The allowlists given; empty if not given.
    """

    dry_run: bool
    at_once: bool
    force: bool
    on: tuple[str, ...] = ()


class HostChange(Value):
    """The result of an edit of the configuration.

    Attributes:
        action: `add` or `remove`.
        host: The host.
        allowlists: The allowlists that allow it; for a removed one, those that did.
        diff: The change, as a unified diff.
        dry_run: Whether nothing was written.
    """

    action: str
    host: str
    path: str
    allowlists: tuple[str, ...]
    diff: str
    dry_run: bool


@click.group(cls=CommonGroup)
def host() -> None:
    """List, add and remove hosts: the configuration is edited in place."""


@host.command("list")
@common
def list_(invocation: Invocation) -> int:
    """List the hosts of the configuration, where each is allowed, and which are revoked."""
    from allowsync.cli.host_list import documents, lines, revocations
    from allowsync.report.json import problems
    from allowsync.text import Line

    config = invocation.load(SCHEMA)
    revoked, notices = revocations(config)
    notices = (*config.hosts_trouble, *notices)
    if invocation.json:
        hosts = documents(config, revoked)
        told = problems(notices)
        echo_json({"schema": SCHEMA, "exit_code": 0, "hosts": hosts, "problems": told})
        return 0
    invocation.echo([Line(f"{one.where}: {one.what}", "yellow") for one in notices], err=True)
    invocation.echo(lines(config, revoked))
    return 0


@host.command()
@click.argument("name")
@click.argument("places", nargs=-1, required=True, metavar="HOSTNAME|NETWORK...")
@on_allowlists(
    help="The allowlist to add it to. Repeatable; required if several allowlists name their hosts."
)
@click.option("--until", default="", metavar="TIME", help="When access ends: 2027-01-31.")
@_DRY_RUN
@_APPLY
@_FORCE
@common
def add(
    invocation: Invocation,
    name: str,
    places: tuple[str, ...],
    on: tuple[str, ...],
    until: str,
    dry_run: bool,
    at_once: bool,
    force: bool,
) -> int:
    """Add a host: a NAME, and the hostnames or networks it is allowed by.

    The file is edited in place: what is not the new host stays as it is written. It is replaced
    only by a configuration that is valid as a whole.
    """
    from allowsync.setup.host_edit import NewHost

    networks = tuple(one for one in places if _is_network(one))
    hostnames = tuple(one for one in places if one not in networks)
    new = NewHost(name, hostnames, networks, until)

    def change(text: ConfigurationText) -> tuple[str, tuple[str, ...]]:
        if name in text.hosts:
            _refuse(invocation, _already(text, name))
        _named(invocation, name)
        where = _chosen(invocation, text, on)
        _lasting(invocation, until)
        every = tuple(one for one, named in text.lists.items() if named is None or one in where)
        return text.added(new, where), every

    how = EditOptions(dry_run, at_once, force, on)
    return _edit(invocation, "add", name, change, how)


@host.command()
@click.argument("name", shell_complete=complete_hosts)
@_DRY_RUN
@_APPLY
@_FORCE
@common
def remove(invocation: Invocation, name: str, dry_run: bool, at_once: bool, force: bool) -> int:
    """Remove a host from the configuration, and from every allowlist that names it.

    Its access ends with the next run, or at once with --apply. One by which your own SSH session
    comes in stays, unless you say --force.
    """

    def change(text: ConfigurationText) -> tuple[str, tuple[str, ...]]:
        if name not in text.hosts and name in _in_file(invocation):
            _refuse(invocation, f"{name!r} is in the file of hosts_from: take it out there")
        _known(invocation, (name,), text.hosts, "host")
        every = tuple(
            one
            for one, named in text.lists.items()
            if named is None or any(each.text == name for each in named.children)
        )
        return text.removed(name), every

    how = EditOptions(dry_run, at_once, force)
    return _edit(invocation, "remove", name, change, how)


def _already(text: ConfigurationText, name: str) -> str:
    """The message that a host exists, with its names, and how to change it."""
    has = ", ".join(text.places(name))
    what = f"there is a host {name!r} already" + (f", allowed by {has}" if has else "")
    return f"{what}; to change it: allowsync config edit, or allowsync host remove {name} first"


def _edit(invocation: Invocation, action: str, name: str, change: Any, how: EditOptions) -> int:
    """Change the text of the configuration, and report the result."""
    from allowsync.config import ConfigError
    from allowsync.setup.host_edit import ConfigurationText
    from allowsync.setup.replacement import ConfigBusy, NotReplaced, editing, put, validated
    from allowsync.setup.text_edit import UneditableError

    if how.dry_run and how.at_once:
        raise click.UsageError("--dry-run and --apply exclude each other")
    path = invocation.place
    try:
        with editing(path, write=not how.dry_run) as found:
            text, allowlists = change(ConfigurationText(found.text))
            config = validated(found, text, invocation.state)
            if not how.force:
                _keep_session(invocation, config, dry_run=how.dry_run)
            if not how.dry_run:
                put(found, text)
    except UneditableError as error:
        where = f"{path}:{error.line}" if error.line else str(path)
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice(where, str(error))])
    except ConfigError as error:
        notices = [Notice(one.where, one.what) for one in error.problems]
        what = (
            "not changed: the edited text would not be valid; line numbers are those of that text"
        )
        invocation.stop(SCHEMA, ExitCode.USAGE, [*notices, Notice(str(path), what)])
    except NotReplaced as error:
        code = ExitCode.BUSY if isinstance(error, ConfigBusy) else ExitCode.USAGE
        invocation.stop(SCHEMA, code, [Notice(str(path), invocation.why_unread or str(error))])
    done = HostChange(action, name, str(path), allowlists, diff_of(found, text), how.dry_run)
    return _told(invocation, done, how)


def _keep_session(invocation: Invocation, config: Config, *, dry_run: bool) -> None:
    """Refuse a change that cuts off this session at the next run. A dry run only warns."""
    from allowsync.cli.own_session import KEPT, cut_off_by, warn

    if not (found := cut_off_by(config)):
        return
    if not dry_run:
        found.append(Notice(str(invocation.place), KEPT))
        invocation.stop(SCHEMA, ExitCode.USAGE, found)
    warn(invocation, found)


def _told(invocation: Invocation, done: HostChange, how: EditOptions) -> int:
    if not invocation.json and not invocation.quiet:
        invocation.echo(diff_lines(done.diff), verbatim=True)
        invocation.echo(_change_lines(done, how))
    if not how.at_once:
        if invocation.json:
            echo_json(_document(done, ExitCode.IN_STEP))
        return int(ExitCode.IN_STEP)
    from allowsync.cli.apply_arguments import ApplyArguments
    from allowsync.cli.apply_run import apply_once

    def tell(_: Invocation, report: RunReport, code: ExitCode) -> None:
        from allowsync.report.json import run_document

        echo_json({**_document(done, code), "run": run_document(report, code)})

    wanted = ApplyArguments(invocation)
    return apply_once(wanted, tell=tell if invocation.json else None, careful=not how.force)


def _document(done: HostChange, code: ExitCode) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "exit_code": int(code),
        "action": done.action,
        "host": done.host,
        "path": done.path,
        "dry_run": done.dry_run,
        "allowlists": list(done.allowlists),
        "diff": done.diff,
        "problems": [],
    }


def _change_lines(done: HostChange, how: EditOptions) -> Iterator[Line]:
    from allowsync.text import Line

    if done.action == "add":
        chosen = how.on or done.allowlists
        what = f"{done.host} is allowed on {', '.join(chosen) or 'no allowlist'}"
        if beside := [one for one in done.allowlists if one not in chosen]:
            what += f" and on {', '.join(beside)} (every host is)"
    else:
        what = f"{done.host} is removed"
    if done.dry_run:
        yield Line(f"a dry run: {what} once this is written")
    elif not how.at_once:
        yield Line(f"{what} with the next run; now: allowsync apply")


def diff_lines(diff: str) -> Iterator[Line]:
    """A unified diff for people."""
    from allowsync.text import Line

    colours = {"+": "green", "-": "red", "@": "bold"}
    for line in diff.splitlines():
        yield Line(line, colours.get(line[:1], ""))


def diff_of(found: ConfigFile, text: str) -> str:
    """The change of the configuration by a new text, as a unified diff."""
    from difflib import unified_diff

    before, after = (one.splitlines(keepends=True) for one in (found.text, text))
    lines = unified_diff(before, after, str(found.path), str(found.path))
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _chosen(
    invocation: Invocation, text: ConfigurationText, on: tuple[str, ...]
) -> tuple[str, ...]:
    """The allowlists for a new host, among those that name their hosts."""
    _known(invocation, on, text.lists, "allowlist")
    named = [one for one, hosts in text.lists.items() if hosts is not None]
    if on or not named:
        return on
    if len(named) > 1:
        _refuse(invocation, f"several allowlists name their hosts: choose {_options(named)}")
    return tuple(named)


def _options(named: list[str]) -> str:
    return " or ".join(f"--on {one}" for one in named)


def _known(invocation: Invocation, given: tuple[str, ...], known: Any, what: str) -> None:
    from allowsync.cli.common import choose

    choose(invocation, SCHEMA, given, known, what)


def _named(invocation: Invocation, name: str) -> None:
    """Refuse a name that no host can have, before it is written anywhere."""
    from allowsync.setup.answers import InvalidAnswer, label

    try:
        label(name)
    except InvalidAnswer as error:
        _refuse(invocation, f"NAME: {error}")


def _lasting(invocation: Invocation, until: str) -> None:
    """Refuse an end of access in the past. Validation reports an invalid time."""
    from allowsync.cli.common import instant
    from allowsync.setup.answers import InvalidAnswer, moment

    try:
        over = bool(until) and moment(until) <= instant()
    except InvalidAnswer:
        return
    if over:
        _refuse(invocation, f"--until {until} lies in the past: the host would have no access")


def _in_file(invocation: Invocation) -> frozenset[str]:
    """The hosts of the `hosts_from` file; empty if unknown."""
    from allowsync.config import ConfigError

    try:
        config = invocation.read()
    except ConfigError:
        return frozenset()
    return frozenset(config.hosts if config.hosts_from is not None else ())


def _refuse(invocation: Invocation, what: str) -> None:
    invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])


def _is_network(text: str) -> bool:
    from ipaddress import ip_interface

    try:
        ip_interface(text)
    except ValueError:
        return "/" in text and "://" not in text  # validation reports its fault
    return True
