"""`allowsync config`: edit the configuration; show it, or its JSON Schema."""

from __future__ import annotations

import click

from allowsync.cli.common import Invocation, common, echo_json
from allowsync.cli.options import CommonGroup


@click.group(cls=CommonGroup)
def config() -> None:
    """Edit the configuration, or show it, or its JSON Schema."""


@config.command()
@click.option("--force", is_flag=True, help="Change it even if that cuts off your own SSH session.")
@common
def edit(invocation: Invocation, force: bool) -> int:
    """Edit the configuration with $VISUAL or $EDITOR.

    The editor gets a copy. What is not valid, or would cut off the SSH session you are in, does not
    take the file's place: it is edited again, or thrown away. Then what changed is shown, a dry run
    says what would be done, and a schedule that is installed may do what the targets need now.
    """
    from allowsync.cli.config_edit import edit_configuration

    if invocation.json:
        raise click.UsageError("config edit is for a terminal: it has no JSON output")
    return edit_configuration(invocation, force=force)


@config.command()
@common
def schema(invocation: Invocation) -> int:
    """Print the JSON Schema of the configuration, for editors."""
    from allowsync.config import json_schema

    echo_json(json_schema())
    return 0


@config.command()
@common
def show(invocation: Invocation) -> int:
    """Print the configuration with all defaults.

    Secrets are masked.
    """
    from allowsync.config import show as shown

    document = shown(invocation.load("allowsync.config/1"))
    if invocation.json:
        echo_json(document)
        return 0
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
    return 0
