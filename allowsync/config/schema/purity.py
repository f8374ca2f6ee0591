"""Whether the values of a kind depend on their text alone, so that they can be cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.config.schema.object import Object

if TYPE_CHECKING:
    from allowsync.config.schema.kind import Kind

_OURS: Final = "allowsync.config."


def is_pure(kind: Kind[Any]) -> bool:
    """Whether a kind and its parts are declared pure, each class for itself, or are the core's.

    Values of the core's kinds that depend on more (a secret, the time zone) are checked again when
    they are decoded.
    """
    cls = type(kind)
    if not vars(cls).get("pure", cls.__module__.startswith(_OURS)):
        return False
    if isinstance(kind, Object):
        return all(is_pure(one.kind) for one in kind.options.values())
    return not hasattr(kind, "kind") or is_pure(kind.kind)
