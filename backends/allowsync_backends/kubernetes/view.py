"""An object as found, and our part of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.model.target import Current
from allowsync.model.types import Entry
from allowsync.model.value import Value
from allowsync_backends.kubernetes.error_messages import conflict
from allowsync_backends.kubernetes.objects import (
    RESOURCES,
    at,
    entries_of,
    holds,
    is_open,
    items_at,
    listed,
    network_of,
    written,
)
from allowsync_backends.kubernetes.options import ObjectKind
from allowsync_backends.kubernetes.ownership import ListOwners, is_alone, is_ours, list_owners

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network
    from allowsync_backends.kubernetes.options import KubernetesOptions


class ObjectView(Value):
    """The present state of a target in a cluster.

    Attributes:
        allowlist: The allowlist that is kept there.
        options: The options of the target.
        version: The group and version of the API that serves it.
        found: The object; None where there is none.
    """

    allowlist: str
    options: KubernetesOptions
    version: str
    found: dict[str, Any] | None

    @property
    def what(self) -> str:
        """The object in a message: `Middleware media/friends`."""
        return object_name(self.options, self.allowlist)

    @property
    def current(self) -> Current:
        """Our entries in the list, and the faults around them."""
        owners = self.owners
        obstacles = dict(self._obstacles(owners))
        return Current(
            frozenset(map(Entry, networks(owners.ours))),
            frozenset(networks(owners.others)),
            (*self._flaws(owners), *obstacles),
            obstacles=obstacles,
        )

    @property
    def owners(self) -> ListOwners:
        """The owners of the list."""
        if self.found is None:
            return ListOwners()
        kind = self.options.kind
        entries = entries_of(kind, self.found)
        return list_owners(self.found, RESOURCES[kind].path, self.allowlist, entries)

    @property
    def is_alone(self) -> bool:
        """Whether the object may be deleted as a whole: it is ours, and has no other manager."""
        if self.found is None or self.options.kind is ObjectKind.SERVICE:
            return False
        return is_alone(self.found, self.allowlist)

    @property
    def is_ours(self) -> bool:
        """Whether anything in it is ours."""
        return self.found is not None and is_ours(self.found, self.allowlist)

    @property
    def preconditions(self) -> dict[str, str]:
        """The preconditions of a deletion: the very object that was found."""
        metadata = at(self.found, ("metadata",)) or {}
        return {key: metadata[key] for key in ("uid", "resourceVersion") if key in metadata}

    def wanted(self, networks: Iterable[Network]) -> dict[str, Any]:
        """Return our part of the object, for the version found."""
        entries = listed(networks, self.options.families)
        return self._as_found(written(self.options, self.allowlist, self.version, entries))

    def released(self) -> dict[str, Any]:
        """Return our part of the object with nothing left in it."""
        document = written(self.options, self.allowlist, self.version, [])
        del document["spec"], document["metadata"]["labels"]
        return self._as_found(document)

    def is_held(self, networks: Iterable[Network]) -> bool:
        """Whether the object has exactly the wanted entries, as ours."""
        wanted = listed(networks, self.options.families)
        return self.owners.ours == frozenset(wanted) and self._holds(wanted)

    def _as_found(self, document: dict[str, Any]) -> dict[str, Any]:
        version = at(self.found, ("metadata", "resourceVersion"))
        if version is not None:
            document["metadata"]["resourceVersion"] = version
        return document

    def _holds(self, entries: list[str]) -> bool:
        """Whether the object includes our part, beside others' entries in the list."""
        beside = [*entries, *(one for one in self.owners.others if one not in entries)]
        return holds(self.found, written(self.options, self.allowlist, self.version, beside))

    def _flaws(self, owners: ListOwners) -> Iterator[str]:
        if self.found is None:
            if self.options.kind is not ObjectKind.SERVICE:
                yield f"{self.what} does not exist"
            return
        if owners.rivals:
            if self.options.force:
                yield self._managed(owners)
            return
        if self.options.kind is ObjectKind.SERVICE and not owners.ours:
            yield f"{self.what} has no source ranges: it is open to everyone"
        elif not self._holds(listed(networks(owners.ours), self.options.families)):
            yield f"{self.what} is not as configured"

    def _obstacles(self, owners: ListOwners) -> Iterator[tuple[str, str]]:
        """Report why the list cannot be ours, or has no effect."""
        if owners.rivals and not self.options.force:
            yield self._managed(owners), conflict(", ".join(owners.rivals))
        if self.options.kind is ObjectKind.SERVICE:
            yield from self._of_service()

    def _managed(self, owners: ListOwners) -> str:
        """Report the managers of the list, and whether it admits everyone."""
        said = f"the list of {self.what} is managed by {', '.join(owners.rivals)}"
        return f"{said}, and it is open to everyone" if self._is_open else said

    @property
    def _is_open(self) -> bool:
        return self.found is not None and is_open(self.options.kind, self.found)

    def _of_service(self) -> Iterator[tuple[str, str]]:
        if self.found is None:
            yield f"{self.what} does not exist", "make it, or name another: allowsync makes none"
            return
        kind = at(self.found, ("spec", "type")) or "ClusterIP"
        if kind != "LoadBalancer":
            what = f"{self.what} is of type {kind}, which has no source ranges"
            yield what, "make it a LoadBalancer, or keep a NetworkPolicy instead"
        kept = {one.value for one in self.options.families}
        for family in items_at(self.found, ("spec", "ipFamilies")):
            if str(family).lower() not in kept:
                what = f"{self.what} serves {family}, which is left open to everyone"
                yield what, f"add {str(family).lower()} to families"


def object_name(options: KubernetesOptions, allowlist: str) -> str:
    """Return the object of a target for a message."""
    within = f"{options.namespace}/" if options.namespace else ""
    return f"{options.kind.value} {within}{options.name(allowlist)}"


def networks(entries: Iterable[str]) -> Iterator[Network]:
    """Return the networks among the entries of a list; guards are not included."""
    return (one for one in map(network_of, entries) if one is not None)
