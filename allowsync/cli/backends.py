"""`allowsync backends`: the backends found."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from allowsync.cli.common import Invocation, common, echo_json
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from click.shell_completion import CompletionItem

    from allowsync.config.schema.object import Object
    from allowsync.text import Line


SCHEMA = "allowsync.backends/1"


def _complete(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The backends whose names begin with this text."""
    from click.shell_completion import CompletionItem

    from allowsync.backend.registry import names

    return [CompletionItem(one) for one in names() if one.startswith(begun)]


@click.command()
@click.argument("name", required=False, metavar="[NAME]", shell_complete=_complete)
@common
def backends(invocation: Invocation, name: str | None) -> int:
    """List the backends, and whether each can be used here; with a NAME, its options."""
    from allowsync.backend.registry import UnknownBackend, names
    from allowsync.config.targets import unknown_backend

    known = names()
    if name is not None and name not in known:
        what = unknown_backend(UnknownBackend(name, known))
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    found = list(_found(known if name is None else (name,)))
    if invocation.json:
        document = {"schema": SCHEMA, "exit_code": 0, "backends": found}
        echo_json({**document, "problems": []})
    else:
        invocation.echo(_table(found) if name is None else _lines(found))
    return 0


def _found(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    from allowsync.backend.api import BackendError
    from allowsync.backend.containment import contained
    from allowsync.backend.driver import unusable
    from allowsync.backend.registry import BrokenBackend, load_type
    from allowsync.config.targets import options_kind

    for name in names:
        try:
            kind = load_type(name)
            why = unusable(kind)
            options = contained(name, partial(_listed, options_kind(kind)), _as_it_is)
        except (BackendError, BrokenBackend) as error:
            yield {"name": name, "summary": "", "usable": False, "reason": str(error),
                   "options": []}  # fmt: skip
            continue
        yield {
            "name": name,
            "summary": kind.summary,
            "usable": not why,
            "reason": why or None,
            "options": options,
        }


def _listed(schema: Object[Any]) -> list[dict[str, Any]]:
    return list(_options(schema))


def _as_it_is(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return found


def _options(schema: Object[Any]) -> Iterator[dict[str, Any]]:
    for name, one in schema.options.items():
        required = name in schema.required
        yield {
            "name": name,
            "help": one.help,
            "required": required,
            "default": None if required else one.kind.show(one.default),
        }


def _table(found: list[dict[str, Any]]) -> Iterator[Line]:
    """A line for each backend."""
    from allowsync.text import Line

    for one in found:
        about = "; ".join(filter(None, (one["summary"], _usable(one))))
        text = f"{one['name']}: {about}"
        yield Line(text, "" if one["usable"] else "yellow")


def _usable(one: dict[str, Any]) -> str:
    return "can be used here" if one["usable"] else f"cannot be used here: {one['reason']}"


def _lines(found: list[dict[str, Any]]) -> Iterator[Line]:
    from allowsync.text import Line

    for one in found:
        yield Line(f"{one['name']}: {one['summary']}")
        yield Line(f"    {_usable(one)}", "" if one["usable"] else "yellow")
        for option in one["options"]:
            yield Line(f"    {option['name']} ({_default(option)}): {option['help']}")


def _default(option: dict[str, Any]) -> str:
    if option["required"]:
        return "required"
    return f"default {json.dumps(option['default'])}"
