"""A file as Traefik would read it: by a YAML parser, not by our intention."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.value import Value
from allowsync_backends.file.syntax import network_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync_backends.traefik.options import MiddlewareKind
    from allowsync_backends.traefik.syntax import TraefikSyntax


DEEPEST: Final = 100


class Unfit(Exception):
    """A file that Traefik would refuse, or would read as something else."""


class Definition(Value):
    """A middleware of an allowlist.

    Attributes:
        ranges: Its networks, in order.
        whole: Its whole definition, as comparable text.
    """

    ranges: tuple[str, ...]
    whole: str


def loaded(text: str) -> Any:
    """Parse a document of YAML, every scalar as text.

    Raises:
        Unfit: The text is no YAML.
    """
    import yaml

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        _refuse_depth(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)  # noqa: S506 - it makes nothing but text
    except yaml.YAMLError as error:
        raise Unfit(f"it is no YAML ({str(error).splitlines()[0]})") from None


def _refuse_depth(events: Iterable[Any]) -> None:
    """Refuse a document too deep for the loader, which would end the whole program.

    Raises:
        Unfit: It is too deep.
    """
    from yaml import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise Unfit(f"it is nested more than {DEEPEST} deep")


def definitions(text: str, syntax: TraefikSyntax) -> Mapping[MiddlewareKind, Definition]:
    """Return the definition of each middleware in the file.

    Raises:
        Unfit: One is missing or has no networks, or there is something else in the file.
    """
    document = loaded(text)
    if not isinstance(document, dict) or set(document) != {one.value for one in syntax.kinds}:
        raise Unfit(f"it has not just {' and '.join(one.value for one in syntax.kinds)}")
    return {kind: _defined(document[kind.value], kind, syntax) for kind in syntax.kinds}


def _defined(section: Any, kind: MiddlewareKind, syntax: TraefikSyntax) -> Definition:
    match section:
        case {
            "middlewares": {syntax.name: {syntax.key: {"sourceRange": [_, *_] as listed}} as said}
        }:
            pass
        case _:
            raise Unfit(f"there is no {kind.value} middleware {syntax.name} with networks in it")
    for one in listed:
        if not isinstance(one, str) or network_or_none(one) is None:
            raise Unfit(f"{str(one)[:60]!r} is no network")
    return definition(said)


def definition(said: Any) -> Definition:
    """Return the definition of a middleware, in a file or by the API: `{"ipAllowList": {…}}`."""
    match said:
        case {"ipAllowList": {"sourceRange": [*listed]}} | {
            "ipWhiteList": {"sourceRange": [*listed]}
        }:
            pass
        case _:
            listed = []
    ranges = tuple(one for one in listed if isinstance(one, str))
    return Definition(ranges, json.dumps(_as_text(said), sort_keys=True))


def _as_text(said: Any) -> Any:
    """Return the same with every number as text, as this YAML parser leaves it."""
    if isinstance(said, dict):
        return {str(key): _as_text(value) for key, value in said.items()}
    return [_as_text(one) for one in said] if isinstance(said, list) else str(said)
