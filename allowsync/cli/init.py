"""`allowsync init`: a few questions, or flags, and a first configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace

if TYPE_CHECKING:
    from allowsync.setup.answers import SetupAnswers

SCHEMA = "allowsync.init/1"


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--host", multiple=True, metavar="NAME=HOSTNAME", help="A trusted host. Repeatable.")
@click.option(
    "--network", multiple=True, metavar="NAME=NETWORK", help="A trusted host at a fixed address."
)
@click.option("--port", multiple=True, metavar="PORT/PROTO", help="The ports to guard: 8096/tcp.")
@click.option(
    "--backend",
    metavar="NAME",
    help="The firewall, a web server, cloudflare or jellyfin. Default: the firewall found here.",
)
@click.option(
    "--option",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the backend: path=/etc/nginx/friends.conf. Repeatable.",
)
@click.option("--allowlist", metavar="NAME", help="The name of the list. Default: from its port.")
@click.option("--nameserver", multiple=True, help="A nameserver to use instead of the system's.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--force", is_flag=True, help="Replace an existing configuration.")
@click.option("--no-dry-run", is_flag=True, help="Skip the DNS check and the dry run.")
@common
def init(
    invocation: Invocation,
    path: Path | None,
    host: tuple[str, ...],
    network: tuple[str, ...],
    port: tuple[str, ...],
    backend: str | None,
    option: tuple[str, ...],
    allowlist: str | None,
    nameserver: tuple[str, ...],
    yes: bool,
    force: bool,
    no_dry_run: bool,
) -> int:
    """Write a first configuration, after a few questions.

    What flags say is not asked. Writes nothing but that file, readable by its owner only, and never
    over another one unless told so. A check and a dry run at the end show what it would do.
    """
    from allowsync.cli.wizard import advise, converse

    place = (path or invocation.place).absolute()
    if not force and os.path.lexists(place):
        invocation.stop(SCHEMA, ExitCode.USAGE, [_exists(place)])
    chosen = _chosen(backend, option)
    wishes = _wished((*host, *network), port, chosen, allowlist, nameserver, invocation.state)
    may_ask = os.isatty(0) and not yes
    if may_ask:
        wishes = converse(invocation, wishes, place, ask_dns=not no_dry_run)
    else:
        wishes = _completed(wishes)
        if not no_dry_run:
            advise(invocation, wishes)
    code = _written(invocation, wishes, place, force=force)
    if invocation.json:
        document = {"schema": SCHEMA, "exit_code": int(code), "path": str(place), "problems": []}
        echo_json(document)
        return code
    return code if no_dry_run else _tried(invocation, place)


def _exists(place: Path) -> Notice:
    return Notice(
        str(place), "it exists already; to change it: allowsync config edit; --force replaces it"
    )


def _chosen(backend: str | None, options: tuple[str, ...]) -> SetupAnswers:
    """The target, as given by flags.

    Raises:
        UsageError: A flag is invalid.
    """
    from allowsync.setup import answers as read

    try:
        if backend is None:
            if options:
                raise click.UsageError("--option needs --backend NAME")
            return read.SetupAnswers()
        chosen = read.backend(backend)
        said = dict(read.option(one, chosen) for one in options)
        return read.SetupAnswers(backend=backend, options=tuple(said.items()))
    except read.InvalidAnswer as error:
        raise click.UsageError(str(error)) from error


def _wished(
    friends: tuple[str, ...],
    ports: tuple[str, ...],
    wishes: SetupAnswers,
    allowlist: str | None,
    nameservers: tuple[str, ...],
    state: Path | None,
) -> SetupAnswers:
    """All answers given by flags.

    Raises:
        UsageError: A flag is invalid.
    """
    from allowsync.setup import answers as read

    try:
        for text in friends:
            wishes = wishes.befriend(read.friend(text))
        chosen = read.backend(wishes.backend) if wishes.backend else None
        named = tuple(
            word for one in ports for word in read.ports(one, chosen or read.guarding()[0])
        )
        return replace(
            wishes,
            ports=tuple(dict.fromkeys(named)),
            state=state,
            allowlist=read.allowlist(allowlist) if allowlist else "",
            nameservers=tuple(map(read.nameserver, nameservers)),
        )
    except read.InvalidAnswer as error:
        raise click.UsageError(str(error)) from error


def _completed(wishes: SetupAnswers) -> SetupAnswers:
    """The answers, completed by detected and default ones.

    Raises:
        UsageError: An answer is missing, and there is no terminal to ask at.
    """
    from allowsync.cli.wizard import called, found_here, suggestion
    from allowsync.setup.fronts import FRONTS, open_questions

    backend = wishes.backend or suggestion(found_here())
    asked = open_questions(backend, dict(wishes.options))
    missing = [
        *([] if wishes.friends else ["--host NAME=HOSTNAME (or --network NAME=NETWORK)"]),
        *([] if wishes.ports or backend in FRONTS else ["--port PORT/PROTO"]),
        *([] if backend else ["--backend NAME"]),
        *(f"--option {one.key}=VALUE" for one in asked if not one.usual),
    ]
    if missing:
        raise click.UsageError(f"without a terminal for questions, pass {' and '.join(missing)}")
    name = wishes.allowlist or called(wishes.ports)
    usual = tuple((one.key, one.answer(name)) for one in asked)
    return replace(wishes, backend=backend, allowlist=name, options=(*wishes.options, *usual))


def _written(invocation: Invocation, wishes: SetupAnswers, place: Path, *, force: bool) -> ExitCode:
    from allowsync.config import ConfigError
    from allowsync.setup.install import NotWritten, write
    from allowsync.setup.render import render

    try:
        write(place, render(wishes), force=force)
    except NotWritten as error:
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice(str(place), str(error))])
    except ConfigError as error:
        notices = [Notice(one.where, one.what) for one in error.problems]
        invocation.stop(SCHEMA, ExitCode.USAGE, notices)
    if not (invocation.json or invocation.quiet):
        click.echo(f"Written: {place}")
    return ExitCode.IN_STEP


def _tried(invocation: Invocation, place: Path) -> int:
    """Check and dry-run the new configuration, and print the next steps."""
    from allowsync.cli.apply_arguments import ApplyArguments
    from allowsync.cli.apply_run import apply_once
    from allowsync.cli.check import check_once
    from allowsync.cli.configuration_lookup import sudo
    from allowsync.config.paths import SYSTEM_CONFIGURATION

    tell = (lambda _: None) if invocation.quiet else click.echo
    here = replace(invocation, config=place)
    tell("\nA check:\n")
    check_once(here)
    tell("\nA dry run, which changes nothing:\n")
    tried = apply_once(ApplyArguments(here, dry_run=True), None)
    where = "" if place == SYSTEM_CONFIGURATION else f" --config {place}"
    again = f"{sudo(os.environ)}allowsync"  # with the user's prefix
    tell(f"\nWhen that is what you want:\n  {again} apply --confirm 60s{where}")
    tell(f"  {again} schedule install{where}")
    return tried  # not the check's code: the first run may repair its findings
