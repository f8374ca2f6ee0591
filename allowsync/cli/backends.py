"""`allowsync backends`: the backends found."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from allowsync.cli.common import Invocation, common, echo_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.schema.object import Object
    from allowsync.text import Line


@click.command()
@common
def backends(invocation: Invocation) -> int:
    """The backends found, their options, whether they can be used here."""
    found = list(_found())
    if invocation.json:
        document = {"schema": "allowsync.backends/1", "exit_code": 0, "backends": found}
        echo_json({**document, "problems": []})
    else:
        invocation.echo(_lines(found))
    return 0


def _found() -> Iterator[dict[str, Any]]:
    from allowsync.backend.api import BackendError
    from allowsync.backend.containment import contained
    from allowsync.backend.driver import unusable
    from allowsync.backend.registry import BrokenBackend, load_type, names
    from allowsync.config.targets import options_kind

    for name in names():
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


def _lines(found: list[dict[str, Any]]) -> Iterator[Line]:
    from allowsync.text import Line

    for one in found:
        state = "can be used here" if one["usable"] else f"cannot be used here: {one['reason']}"
        yield Line(f"{one['name']}: {one['summary']}")
        yield Line(f"    {state}", "" if one["usable"] else "yellow")
        for option in one["options"]:
            yield Line(f"    {option['name']} ({_default(option)}): {option['help']}")


def _default(option: dict[str, Any]) -> str:
    if option["required"]:
        return "required"
    return f"default {json.dumps(option['default'])}"
