"""The common options, before or after a command's name, and the groups that parse them.

Their values are collected in the context that a command shares with its parent groups.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # Configuration, state, output, verbosity, quiet, no colour.
    CommonValues: TypeAlias = tuple[Path | None, Path | None, str, int, bool, bool]

_COLLECTED: Final = "allowsync.options"
_WHOLE: Final = 1000  # characters: longer than any summary, so that none is cut


def with_common_options(
    command: Callable[..., Any], made: Callable[..., Any]
) -> Callable[..., Any]:
    """Give a command the common options, as its first argument.

    Args:
        command: The command.
        made: Makes that argument from the values.
    """

    @functools.wraps(command)
    def with_options(**options: Any) -> Any:
        return command(made(*values_in(click.get_current_context())), **options)

    for one in reversed(_OPTIONS):
        one(with_options)
    return with_options


def values_in(context: click.Context) -> CommonValues:
    """The values given so far, on every level of the command.

    Raises:
        click.UsageError: An option was given twice, with different values.
    """
    given: dict[str, list[Any]] = context.meta.get(_COLLECTED, {})
    return (
        _single(context, "config", given),
        _single(context, "state", given),
        _single(context, "output", given) or "text",
        sum(given.get("verbose", ())),
        bool(given.get("quiet")),
        bool(given.get("no_color")),
    )


def config_in(context: click.Context) -> Path | None:
    """The configuration given so far; of several, the last."""
    named: list[Path] = context.meta.get(_COLLECTED, {}).get("config", [])
    return named[-1] if named else None


class CommonGroup(click.Group):
    """A group with the common options, and suggestions for mistyped commands."""

    group_class = type

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        add_common_options(self)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, with a suggestion for a mistyped name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(unknown_command(args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its whole first sentence."""
        known = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, one.get_short_help_str(_WHOLE)) for name, one in known if one is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def unknown_command(name: str, known: list[str]) -> str:
    """The message about an unknown command, with the nearest known one."""
    from allowsync.config.errors import suggestion
    from allowsync.text import quote

    hint = suggestion(name, known) or f"; there are {', '.join(known)}"
    return f"no such command {quote(name)}{hint}"


def add_common_options(group: click.Group) -> None:
    """Add the common options to a group, except those whose names it uses itself."""
    taken = {name for one in group.params for name in one.opts}
    group.params += [one for one in _parameters() if taken.isdisjoint(one.opts)]


def _parameters() -> Iterator[click.Parameter]:
    def bare() -> None: ...

    for one in reversed(_OPTIONS):
        one(bare)
    yield from click.command()(bare).params


def _single(context: click.Context, name: str, given: dict[str, list[Any]]) -> Any:
    """The value of an option that may be given once."""
    values = list(dict.fromkeys(given.get(name, ())))
    if len(values) > 1:
        both = " and ".join(repr(str(one)) for one in values[:2])
        raise click.UsageError(f"--{name} is given twice, as {both}; pass it once", context)
    return values[0] if values else None


def _collect(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Record the values given on this level of the command."""
    kept = context.meta.setdefault(_COLLECTED, {})
    name = str(parameter.name)
    if name == "as_json":
        name, value = "output", ("json",) if value else ()
    if value:
        kept.setdefault(name, []).extend(value if isinstance(value, tuple) else (value,))


_option = functools.partial(click.option, expose_value=False, callback=_collect)
_OPTIONS: Final = (
    _option(
        "--config",
        type=click.Path(path_type=Path, readable=False),
        multiple=True,
        help="The configuration file. Default: $ALLOWSYNC_CONFIG, /etc/allowsync/config.yaml.",
    ),
    _option(
        "--state",
        type=click.Path(path_type=Path, readable=False),
        multiple=True,
        help="The state database, instead of the configured one.",
    ),
    _option(
        "--output",
        type=click.Choice(["text", "json"]),
        multiple=True,
        help="Text for people (the default), or one JSON document for programs.",
    ),
    _option("--json", "as_json", is_flag=True, help="The same as --output json."),
    _option("-v", "--verbose", count=True, help="Say more."),
    _option("-q", "--quiet", is_flag=True, help="Print only problems."),
    _option("--no-color", is_flag=True, help="No colors. So does NO_COLOR."),
)
