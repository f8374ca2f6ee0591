"""Owners of an object's fields, by its `managedFields`. Pure.

The API keeps a set of fields for each manager that wrote any (Kubernetes, "Server-Side Apply"). A
list that Kubernetes declares a set has an owner for each of its items; every other list is one
field.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import mark
from allowsync.model.value import Value
from allowsync_backends.kubernetes.objects import at, items_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

UNKNOWN: Final = "a manager that the object does not name"


class ListOwners(Value):
    """The owners of a list.

    Attributes:
        ours: Our entries.
        others: Entries of others in the same list, which is merged item by item.
        rivals: Other managers of the list, where it is one field.
    """

    ours: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    rivals: tuple[str, ...] = ()


def list_owners(
    found: Mapping[str, Any], path: tuple[str, ...], allowlist: str, entries: Sequence[str]
) -> ListOwners:
    """Return the owners of the list at a place, and of each of its entries."""
    owners = {who: node for who, node in _managers(found, path, allowlist) if node is not None}
    mine, there = owners.pop("", None), frozenset(entries)
    if any(_items(node) for node in (mine or {}, *owners.values())):
        ours = there & _items(mine or {})
        return ListOwners(ours, there - ours)
    if mine is not None:
        return ListOwners(there, rivals=tuple(sorted(owners)))
    return ListOwners(rivals=tuple(sorted(owners)) or ((UNKNOWN,) if there else ()))


def is_alone(found: Mapping[str, Any], allowlist: str) -> bool:
    """Whether all of an object's spec is ours, so that it may be deleted as a whole."""
    owners = dict(_managers(found, ("spec",), allowlist))
    mine = owners.pop("", None)
    return mine is not None and all(node is None for node in owners.values())


def is_ours(found: Mapping[str, Any], allowlist: str) -> bool:
    """Whether anything in an object is ours."""
    return any(who == "" for who, _ in _managers(found, (), allowlist))


def _managers(
    found: Mapping[str, Any], path: tuple[str, ...], allowlist: str
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield each manager, empty for our own, with its fields at a place; None for none.

    Fields of the status, written by a controller, are ignored.
    """
    for one in items_at(found, ("metadata", "managedFields")):
        if not isinstance(one, dict) or one.get("subresource"):
            continue
        node = at(one, ("fieldsV1", *(f"f:{key}" for key in path)))
        yield _named(one, allowlist), node if isinstance(node, dict) else None


def _named(one: Mapping[str, Any], allowlist: str) -> str:
    name = str(one.get("manager") or UNKNOWN)
    ours = name == mark(allowlist) and one.get("operation") == "Apply"
    return "" if ours else name


def _items(node: Mapping[str, Any]) -> frozenset[str]:
    """Return a manager's items of a list that is a set: `v:"192.0.2.7/32"`."""
    return frozenset(_values(key[2:] for key in node if key.startswith("v:")))


def _values(encoded: Iterable[str]) -> Iterator[str]:
    for one in encoded:
        try:
            value = json.loads(one)
        except ValueError:
            continue
        if isinstance(value, str):
            yield value
