"""What Traefik would find in a file: read by a parser of YAML, not by what we meant to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.file.syntax import network_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync_backends.traefik.options import Kind
    from allowsync_backends.traefik.syntax import TraefikSyntax


DEEPEST: Final = 100


class Unfit(Exception):
    """A file that Traefik would not take, or would take for something else."""


def loaded(text: str) -> Any:
    """A document of YAML, every scalar as text.

    Raises:
        Unfit: It is none.
    """
    import yaml

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        _refuse_depth(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)  # noqa: S506 - it makes nothing but text
    except yaml.YAMLError as error:
        raise Unfit(f"it is no YAML ({str(error).splitlines()[0]})") from None


def _refuse_depth(events: Iterable[Any]) -> None:
    """Refuse what would be too deep for the loader, which ends the whole program then.

    Raises:
        Unfit: It is.
    """
    from yaml import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise Unfit(f"it is nested more than {DEEPEST} deep")


def ranges(text: str, syntax: TraefikSyntax) -> Mapping[Kind, tuple[str, ...]]:
    """The networks of each middleware, as they are written.

    Raises:
        Unfit: One is missing or empty, or there is something else in the file.
    """
    document = loaded(text)
    if not isinstance(document, dict) or set(document) != {one.value for one in syntax.kinds}:
        raise Unfit(f"it has not just {' and '.join(one.value for one in syntax.kinds)}")
    return {kind: _listed(document[kind.value], kind, syntax) for kind in syntax.kinds}


def _listed(section: Any, kind: Kind, syntax: TraefikSyntax) -> tuple[str, ...]:
    match section:
        case {"middlewares": {syntax.name: {syntax.key: {"sourceRange": [_, *_] as listed}}}}:
            pass
        case _:
            raise Unfit(f"there is no {kind.value} middleware {syntax.name} with networks in it")
    for one in listed:
        if not isinstance(one, str) or network_or_none(one) is None:
            raise Unfit(f"{str(one)[:60]!r} is no network")
    return tuple(listed)
