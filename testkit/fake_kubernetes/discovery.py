"""Which kinds of objects there are, as kubectl and Traefik ask before they ask for any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testkit.fake_kubernetes.definitions import Definition

_VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]


def discovered(kinds: Iterable[Definition], path: str) -> dict[str, Any] | None:
    """The document at a path of discovery; None where that is none."""
    groups = list(dict.fromkeys(one.group for one in kinds))
    match path.strip("/").split("/"):
        case ["version"]:
            return {"major": "1", "minor": "33", "gitVersion": "v1.33.0", "platform": "linux/amd64"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _listed(groups)}
        case ["api", version] if version in groups:
            return _resources(version, kinds)
        case ["apis", name, version] if f"{name}/{version}" in groups:
            return _resources(f"{name}/{version}", kinds)
        case _:
            return None


def _listed(groups: list[str]) -> list[dict[str, Any]]:
    named: dict[str, list[dict[str, str]]] = {}
    for one in groups:
        name, _, version = one.rpartition("/")
        if name:
            said = {"groupVersion": one, "version": version}
            named.setdefault(name, []).append(said)
    return [
        {"name": name, "versions": versions, "preferredVersion": versions[0]}
        for name, versions in named.items()
    ]


def _resources(group: str, kinds: Iterable[Definition]) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group,
        "resources": [
            {
                "name": one.plural,
                "singularName": one.kind.lower(),
                "namespaced": one.namespaced,
                "kind": one.kind,
                "verbs": _VERBS,
            }
            for one in kinds
            if one.group == group
        ],
    }
