"""`allowsync config`: the configuration as it is understood, and its JSON Schema."""

from __future__ import annotations

import click

from allowsync.cli.common import Invocation, common, echo_json


@click.group()
def config() -> None:
    """Show the configuration, or its JSON Schema."""


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
    """Print the configuration with defaults filled in and secrets masked."""
    from allowsync.config import show as shown

    document = shown(invocation.load("allowsync.config/1"))
    if invocation.json:
        echo_json(document)
        return 0
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
    return 0
