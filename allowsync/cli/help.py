"""`allowsync help`: the usage of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from allowsync.cli.common import Invocation, common, echo_json
from allowsync.cli.options import unknown_command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SCHEMA: Final = "allowsync.help/1"


def _commands(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The commands whose names begin with this text, below the group typed before."""
    found = ctx.find_root()
    for name in ctx.params.get("command") or ():
        if not isinstance(found.command, click.Group):
            return []
        below = found.command.get_command(found, name)
        if below is None:
            return []
        found = click.Context(below, found, name)
    return [] if found.command is ctx.command else found.command.shell_complete(found, begun)


@click.command()
@click.argument("command", nargs=-1, metavar="[COMMAND [SUBCOMMAND]]", shell_complete=_commands)
@common
def help(invocation: Invocation, command: tuple[str, ...]) -> int:  # noqa: A001
    """Show how a command is used: what it does, and its options."""
    text = _text(click.get_current_context().find_root(), command)
    if invocation.json:
        echo_json({"schema": SCHEMA, "exit_code": 0, "text": text, "problems": []})
    else:
        click.echo(text)
    return 0


def _text(context: click.Context, names: tuple[str, ...]) -> str:
    """The help of a command, by its names from the root.

    Raises:
        click.UsageError: There is none.
    """
    for name in names:
        group = context.command
        if not isinstance(group, click.Group):
            context.fail(f"{context.command_path!r} has no sub-commands")
        found = group.get_command(context, name)
        if found is None:
            context.fail(unknown_command(name, group.list_commands(context)))
        context = click.Context(found, context, name)
    return context.get_help()
