"""Whether what a kind reads depends on nothing but what is written, so that it can be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.config.schema.object import Object

if TYPE_CHECKING:
    from allowsync.config.schema.kind import Kind

_OURS: Final = "allowsync.config."


def is_pure(kind: Kind[Any]) -> bool:
    """Whether a kind and those it is made of say so, each class for itself, or are the core's.

    Where values of the core's kinds rest on more (a secret, a time zone), that is looked at anew
    when they are decoded.
    """
    cls = type(kind)
    if not vars(cls).get("pure", cls.__module__.startswith(_OURS)):
        return False
    if isinstance(kind, Object):
        return all(is_pure(one.kind) for one in kind.options.values())
    return not hasattr(kind, "kind") or is_pure(kind.kind)
