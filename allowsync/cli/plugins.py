"""Commands that backends contribute, found through the entry-point group `allowsync.commands`.

An entry point of that group names a `click.Command`, mostly a group. None can replace a command
of the core: an entry point under such a name is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.backend import registry as discovery
from allowsync.cli.options import add_common_options

if TYPE_CHECKING:
    from collections.abc import Container

    from allowsync.backend.registry import BrokenBackend


def names(core: Container[str]) -> tuple[str, ...]:
    """The names of contributed commands, sorted. Imports none of them."""
    return tuple(one for one in discovery.names(discovery.COMMANDS) if one not in core)


def load(name: str) -> click.Command:
    """The command of that name, imported here.

    Raises:
        click.UsageError: It cannot be loaded; the text has the reason.
    """
    try:
        loaded = discovery.load_entry_point(discovery.COMMANDS, name)
    except discovery.BrokenBackend as error:
        raise click.UsageError(_broken(error)) from error
    if not isinstance(loaded, click.Command):
        kind = type(loaded).__name__
        raise click.UsageError(f"the command {name!r} cannot be loaded: it is a {kind}")
    if isinstance(loaded, click.Group):
        add_common_options(loaded)
    return loaded


def summary(name: str) -> str:
    """The one-line help of a command, or the reason why it cannot be loaded."""
    try:
        return load(name).get_short_help_str(limit=80)
    except click.UsageError as error:
        return error.message


def _broken(error: BrokenBackend) -> str:
    return f"the command {error.name!r} cannot be loaded: {error.why}"
