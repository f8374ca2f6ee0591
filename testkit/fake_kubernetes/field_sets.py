"""Sets of fields, and what server-side apply does with them.

As the documentation of Kubernetes ("Server-Side Apply") and the package structured-merge-diff have
it: a field is owned by who wrote it last, or by several who applied the same value. A list is one
field, unless its definition says `x-kubernetes-list-type: set`.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FieldPath = tuple[str, ...]
FieldSet = frozenset[FieldPath]

# What no manager owns.
_UNOWNED: Final = {
    ("f:apiVersion",),
    ("f:kind",),
    *(("f:metadata", f"f:{one}") for one in ("name", "namespace", "uid", "resourceVersion")),
    *(("f:metadata", f"f:{one}") for one in ("managedFields", "creationTimestamp", "generation")),
}


def fields_of(document: Any, schema: Mapping[str, Any], path: FieldPath = ()) -> FieldSet:
    """The fields that a document sets."""
    if path in _UNOWNED:
        return frozenset()
    if isinstance(document, dict) and document:
        return frozenset(
            one
            for key, value in document.items()
            for one in fields_of(value, below(schema, key), (*path, f"f:{key}"))
        )
    if isinstance(document, list) and is_set(schema) and document:
        return frozenset((*path, f"v:{json.dumps(one)}") for one in document)
    return frozenset((path,)) if path else frozenset()


def below(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The schema of a field of an object."""
    found: Mapping[str, Any] = schema.get("properties", {}).get(key, {})
    return found


def is_set(schema: Mapping[str, Any]) -> bool:
    """Whether each item of a list has an owner of its own."""
    return schema.get("x-kubernetes-list-type") == "set"


def value_at(document: Any, path: FieldPath) -> Any:
    """The value of a field; None where there is none."""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "v":
            item = json.loads(name)
            return item if isinstance(document, list) and item in document else None
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def merged(live: Any, applied: Any, schema: Mapping[str, Any]) -> Any:
    """A document with what was applied in it."""
    if isinstance(live, dict) and isinstance(applied, dict):
        made = {**live}
        for key, value in applied.items():
            made[key] = merged(live.get(key), value, below(schema, key))
        return made
    if isinstance(live, list) and isinstance(applied, list) and is_set(schema):
        return [*live, *(one for one in applied if one not in live)]
    return deepcopy(applied)


def without(document: Any, paths: Iterable[FieldPath]) -> Any:
    """A document without some fields, nor the objects and sets that become empty by that."""
    made = deepcopy(document)
    for path in sorted(paths, key=len, reverse=True):
        _remove(made, path)
    return made


def _remove(document: Any, path: FieldPath) -> None:
    if document is None:
        return
    kind, _, name = path[0].partition(":")
    if kind == "v":
        item = json.loads(name)
        if item in document:
            document.remove(item)
        return
    if len(path) == 1:
        document.pop(name, None)
        return
    _remove(document.get(name), path[1:])
    if name in document and document[name] in ({}, []) and name != "metadata":
        del document[name]


def encoded(fields: FieldSet) -> dict[str, Any]:
    """Fields as `fieldsV1` writes them."""
    made: dict[str, Any] = {}
    for path in sorted(fields):
        node = made
        for step in path:
            node = node.setdefault(step, {})
    return made
