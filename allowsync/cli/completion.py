"""`allowsync completion`: the script for completion of commands, options and names."""

from __future__ import annotations

from typing import Final

import click

from allowsync.cli.common import Invocation, common, echo_json

SCHEMA: Final = "allowsync.completion/1"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
def completion(invocation: Invocation, shell: str) -> int:
    """Print the completion for a shell: commands, options, allowlists and hosts.

    Names come from the configuration, as far as the caller may read it.
    """
    script = source(shell)
    if invocation.json:
        document = {"schema": SCHEMA, "exit_code": 0, "shell": shell, "script": script}
        echo_json({**document, "problems": []})
    else:
        click.echo(script)
    return 0


def source(shell: str) -> str:
    """The completion script of a shell."""
    from click.shell_completion import ShellComplete, get_completion_class

    from allowsync.cli.group import cli

    kind = get_completion_class(shell)
    assert kind is not None, "click knows all three"  # noqa: S101
    # Not `kind.source`: for bash it starts a bash to ask for its version.
    return ShellComplete.source(kind(cli, {}, "allowsync", "_ALLOWSYNC_COMPLETE"))
