"""The objects of a cluster, their versions and managers, and what happened to them."""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from testkit.fake_kubernetes.field_sets import (
    FieldSet,
    encoded,
    fields_of,
    merged,
    value_at,
    without,
)
from testkit.fake_kubernetes.statuses import Refusal, missing
from testkit.fake_kubernetes.validation import refuse_invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testkit.fake_kubernetes.definitions import Definition

Key = tuple[str, str, str]  # plural with its group, namespace, name
Manager = tuple[str, str]  # its name and its operation
_MOMENT: Final = "2026-11-20T15:00:00Z"


class StoredObject(NamedTuple):
    """An object, and which fields each manager has."""

    document: dict[str, Any]
    managers: dict[Manager, FieldSet]


class StoreEvent(NamedTuple):
    """What happened to an object: `ADDED`, `MODIFIED`, `DELETED`."""

    version: int
    kind: str
    key: Key
    document: dict[str, Any]


class ObjectStore:
    """All objects.

    Attributes:
        changed: Notified of each event.
        events: What happened so far.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.events: list[StoreEvent] = []
        self._objects: dict[Key, StoredObject] = {}
        self._version = 100

    @property
    def version(self) -> int:
        """The version of the whole store."""
        return self._version

    def shown(self, of: Definition, key: Key) -> dict[str, Any]:
        """An object as the API gives it."""
        if key not in self._objects:
            raise missing(of.plural, key[2])
        return _shown(of, self._objects[key])

    def listed(self, of: Definition, resource: str, namespace: str) -> Iterator[dict[str, Any]]:
        """Every object of a kind, of one namespace or of all."""
        for key, one in sorted(self._objects.items()):
            if key[0] == resource and namespace in ("", key[1]):
                yield _shown(of, one)

    def apply(
        self,
        of: Definition,
        key: Key,
        document: dict[str, Any],
        manager: str,
        *,
        force: bool = False,
        dry: bool = False,
        strict: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply."""
        if at_metadata(document, "managedFields") is not None:
            raise Refusal(400, "metadata.managedFields must be nil")
        before = self._objects.get(key)
        self._compare_version(of, key, before, document)
        live = before.document if before else {}
        managers = dict(before.managers) if before else {}
        document = refuse_invalid(of, document, strict=strict)
        fields = fields_of(document, of.schema)
        _conflicts(managers, manager, fields, live, document, of, force=force)
        others = frozenset[Any]().union(
            *(had for who, had in managers.items() if who != (manager, "Apply"))
        )
        dropped = managers.get((manager, "Apply"), frozenset()) - fields - others
        made = merged(without(live, dropped), document, of.schema)
        managers[(manager, "Apply")] = fields
        return self._put(of, key, made, managers, dry=dry, strict=strict)

    def update(
        self,
        of: Definition,
        key: Key,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        manager: str,
        *,
        dry: bool = False,
        strict: bool = False,
        create: bool = False,
    ) -> dict[str, Any]:
        """Any other write: what it changes is its manager's alone from then on."""
        before = self._objects.get(key)
        if before is None and not create:
            raise missing(of.plural, key[2])
        if before is not None and create:
            raise Refusal(409, f'{of.plural} "{key[2]}" already exists', name=key[2])
        live = before.document if before else {}
        made = change(deepcopy(live))
        self._compare_version(of, key, before, made)
        old, new = fields_of(live, of.schema), fields_of(made, of.schema)
        changed = frozenset(one for one in new if value_at(live, one) != value_at(made, one))
        managers = {
            who: (had - changed) - (old - new)
            for who, had in (before.managers if before else {}).items()
        }
        mine = (manager, "Update")
        if changed:
            managers[mine] = managers.get(mine, frozenset()) | changed
        return self._put(of, key, made, managers, dry=dry, strict=strict)

    def delete(self, of: Definition, key: Key, preconditions: dict[str, str]) -> None:
        """Take an object out, if it is the one that was meant."""
        document = self.shown(of, key)
        for name, expected in preconditions.items():
            if at_metadata(document, name) != expected:
                what = f"Precondition failed: {name} in precondition: {expected}"
                raise Refusal(
                    409, f'Operation cannot be fulfilled on {of.plural}: "{what}"', name=key[2]
                )
        found = self._objects.pop(key)
        self._tell("DELETED", of, key, found)

    def _compare_version(
        self, of: Definition, key: Key, before: StoredObject | None, sent: dict[str, Any]
    ) -> None:
        expected = at_metadata(sent, "resourceVersion")
        there = at_metadata(before.document, "resourceVersion") if before else None
        if expected is not None and before is None:
            raise Refusal(500, "resourceVersion should not be set on objects to be created")
        if expected is not None and expected != there:
            raise Refusal(
                409,
                f'Operation cannot be fulfilled on {of.plural} "{key[2]}": the object has been '
                "modified; please apply your changes to the latest version and try again",
                name=key[2],
                kind=of.plural,
            )

    def _put(
        self,
        of: Definition,
        key: Key,
        made: dict[str, Any],
        managers: dict[Manager, FieldSet],
        *,
        dry: bool,
        strict: bool,
    ) -> dict[str, Any]:
        made = refuse_invalid(of, made, strict=strict, whole=True)
        before = self._objects.get(key)
        metadata = {**made["metadata"]}
        if before is None:
            metadata |= {"uid": str(uuid4()), "creationTimestamp": _MOMENT}
        kept = {one: fields for one, fields in managers.items() if fields}
        stored = StoredObject({**made, "metadata": metadata}, kept)
        if before is not None and before == stored:
            return _shown(of, before)  # no change, no new version
        metadata["resourceVersion"] = str(self._version + 1)
        if not dry:
            self._objects[key] = stored
            self._tell("ADDED" if before is None else "MODIFIED", of, key, stored)
        return _shown(of, stored)

    def _tell(self, kind: str, of: Definition, key: Key, one: StoredObject) -> None:
        with self.changed:
            self._version += 1
            document = _shown(of, one)
            self.events.append(StoreEvent(self._version, kind, key, document))
            self.changed.notify_all()


def at_metadata(document: dict[str, Any], name: str) -> Any:
    """A field of an object's metadata."""
    return (document.get("metadata") or {}).get(name)


def is_selected(document: dict[str, Any], selector: str | None) -> bool:
    """Whether an object has the labels that are asked for, as `app=web,tier=front`."""
    labels = at_metadata(document, "labels") or {}
    wanted = dict(one.split("=", 1) for one in selector.split(",")) if selector else {}
    return all(labels.get(key) == value for key, value in wanted.items())


def _shown(of: Definition, one: StoredObject) -> dict[str, Any]:
    document = deepcopy(one.document)
    document |= {"apiVersion": of.group, "kind": of.kind}
    document["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": of.group,
            "time": _MOMENT,
            "fieldsType": "FieldsV1",
            "fieldsV1": encoded(fields),
        }
        for (manager, operation), fields in sorted(one.managers.items())
    ]
    return document


def _conflicts(
    managers: dict[Manager, FieldSet],
    manager: str,
    fields: FieldSet,
    live: dict[str, Any],
    applied: dict[str, Any],
    of: Definition,
    *,
    force: bool,
) -> None:
    """Refuse to change fields of other managers; by force, take them over."""
    causes = []
    for who, had in managers.items():
        if who == (manager, "Apply"):
            continue
        differing = [one for one in had & fields if value_at(live, one) != value_at(applied, one)]
        if force:
            managers[who] = had - frozenset(differing)
            continue
        causes += [
            {
                "reason": "FieldManagerConflict",
                "message": f'conflict with "{who[0]}" using {of.group}',
                "field": "".join(f".{step[2:]}" for step in one),
            }
            for one in sorted(differing)
        ]
    if causes:
        number = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
        what = "; ".join(f"{one['message']}: {one['field']}" for one in causes)
        raise Refusal(409, f"Apply failed with {number}: {what}", causes=causes)
