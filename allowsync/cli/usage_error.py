"""Click's usage errors as messages of this program: subject, fact, what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from allowsync.text import LONGEST_QUOTE, abridge, quote

if TYPE_CHECKING:
    from collections.abc import Iterable


_LONG_WORD: Final = re.compile(rf"\S{{{2 * LONGEST_QUOTE},}}")


def is_help(error: click.ClickException) -> bool:
    """Whether it is the help of a group, for a command line without a subcommand."""
    return isinstance(error, click.exceptions.NoArgsIsHelpError)


def explained(error: click.ClickException, command: str) -> str:
    """The problem of a command line, and what to do.

    Args:
        error: Click's error.
        command: The intended command, if known.
    """
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = f"allowsync {command}".rstrip() if context is None else context.command_path
    return f"{_fact(error, context)}; see '{path} --help'"


def _fact(error: click.ClickException, context: click.Context | None) -> str:
    said = abridge(_shortened(error.format_message().rstrip(".")))
    if context is None:
        return said[:1].lower() + said[1:]
    command = context.command
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{_name(error.param)} is missing; {_usage(context)}"
    if isinstance(error, click.NoSuchOption):
        return _no_option(error, command)
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_name(error.param)}: {abridge(_shortened(error.message.rstrip('.')))}"
    if isinstance(command, click.Group) and (is_help(error) or said == "Missing command"):
        return f"a command is missing: {', '.join(command.list_commands(context))}"
    if said.startswith("Got unexpected extra"):
        return f"{said[4:]}; {_usage(context)}"
    return said[:1].lower() + said[1:]


def _name(param: click.Parameter) -> str:
    """An option as typed, or an argument as the usage names it."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name


def _usage(context: click.Context) -> str:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    return f"usage: {context.command_path} {pieces}"


def _no_option(error: click.NoSuchOption, command: click.Command) -> str:
    near = ", ".join(map(repr, _alike(error.option_name, error.possibilities or ())))
    hint = f" (did you mean {near}?)" if near else ""
    elsewhere = "; options of a command go behind it" if isinstance(command, click.Group) else ""
    return f"no such option {quote(error.option_name)}{hint}{elsewhere}"


def _shortened(text: str) -> str:
    """The text with long words cut: click quotes whole arguments."""
    return _LONG_WORD.sub(lambda found: f"{found[0][: LONGEST_QUOTE - 3]}...", text)


def _alike(typed: str, options: Iterable[str]) -> list[str]:
    """The options that a typo explains; the common dashes are no similarity."""
    from difflib import get_close_matches

    named = {one.lstrip("-"): one for one in sorted(options)}
    return [named[one] for one in get_close_matches(typed.lstrip("-"), named)]
