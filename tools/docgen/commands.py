"""What click knows of the commands, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from allowsync.backend.registry import COMMANDS as ENTRY_POINTS
from allowsync.backend.registry import entry_points, load_entry_point
from allowsync.cli import COMMANDS, cli
from allowsync.cli.common import common

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN: Final = "allowsync"  # the distribution whose commands are described
_WIDTH: Final = 10_000  # characters: nothing is wrapped here


@dataclass(frozen=True, slots=True)
class Described:
    """A command, or a group of commands.

    Attributes:
        path: How it is called, without the program: `("config", "show")`.
        usage: The words behind the program and the path: `[OPTIONS] [HOST]...`.
        paragraphs: Its help. The first says it in a sentence.
        options: How each option of its own is written, with its help. Those that every command
            has, and `--help`, are left out.
        commands: What a group consists of.
    """

    path: tuple[str, ...]
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    commands: tuple[Described, ...] = ()

    @property
    def called(self) -> str:
        """How it is typed."""
        return " ".join(("allowsync", *self.path))

    @property
    def summary(self) -> str:
        """Its help in a sentence, without the full stop."""
        return self.paragraphs[0].rstrip(".")


def commands() -> tuple[Described, ...]:
    """Every command of the distribution, sorted, those that its backends bring along included."""
    return tuple(describe(command, (name,)) for name, command in sorted(_own()))


def describe(command: click.Command, path: tuple[str, ...]) -> Described:
    """A command as values."""
    context = click.Context(command, info_name=path[-1], max_content_width=_WIDTH)
    members: list[tuple[str, click.Command]] = []
    if isinstance(command, click.Group):
        listed = [
            (name, command.get_command(context, name)) for name in command.list_commands(context)
        ]
        members = [(name, one) for name, one in listed if one is not None and not one.hidden]
    return Described(
        path,
        " ".join(command.collect_usage_pieces(context)),
        paragraphs(command.help or ""),
        tuple(_options(command, context)),
        tuple(describe(member, (*path, name)) for name, member in members),
    )


def shared_options() -> tuple[tuple[str, str], ...]:
    """The options that every command has, as they are written, each with its help."""
    command = click.Command("any", params=_shared())
    context = click.Context(command)
    records = (parameter.get_help_record(context) for parameter in command.params)
    return tuple((record[0], " ".join(record[1].split())) for record in records if record)


def program() -> Described:
    """The program itself, without its commands."""
    return Described((), "COMMAND [OPTIONS]...", paragraphs(cli.help or ""), ())


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs of a help text, each as one line."""
    return tuple(" ".join(part.split()) for part in text.split("\f")[0].split("\n\n"))


def _own() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        yield name, getattr(import_module(f"allowsync.cli.{name}"), name)
    for one in entry_points(ENTRY_POINTS):
        if one.distribution == _OWN and one.name not in COMMANDS:
            yield one.name, load_entry_point(ENTRY_POINTS, one.name)


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    shared = {name for parameter in _shared() for name in parameter.opts}
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and not shared & set(parameter.opts):
            option, what = record
            yield option, " ".join(what.split())


def _shared() -> list[click.Parameter]:
    def nothing(invocation: Any) -> None:
        """Takes the shared options and no other."""

    parameters: list[click.Parameter] = click.command(common(nothing)).params
    return parameters
