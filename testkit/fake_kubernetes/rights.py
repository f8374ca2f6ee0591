"""Who may do what: the rules of roles, as RBAC goes by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ApiAction(NamedTuple):
    """What is asked for."""

    verb: str
    group: str
    plural: str
    namespace: str = ""
    name: str = ""


def is_allowed(user: str, action: ApiAction, objects: Iterable[dict[str, Any]]) -> bool:
    """Whether the roles and bindings among some objects allow something.

    Args:
        user: `system:serviceaccount:media:allowsync`, or the name in a certificate.
        action: What is asked for.
        objects: Roles and bindings, of the cluster and of namespaces.
    """
    listed = list(objects)
    roles = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in listed
    }
    for binding in listed:
        if not binding["kind"].endswith("Binding") or user not in set(_subjects(binding)):
            continue
        within = binding["metadata"].get("namespace", "")
        if within and within != action.namespace:
            continue
        reference = binding["roleRef"]
        place = within if reference["kind"] == "Role" else ""
        role = roles.get((reference["kind"], place, reference["name"]), {})
        if any(_covers(rule, action) for rule in role.get("rules") or ()):
            return True
    return False


def _subjects(binding: dict[str, Any]) -> Iterator[str]:
    for one in binding.get("subjects") or ():
        if one["kind"] == "ServiceAccount":
            yield f"system:serviceaccount:{one['namespace']}:{one['name']}"
        else:
            yield one["name"]


def _covers(rule: dict[str, Any], action: ApiAction) -> bool:
    names = rule.get("resourceNames")
    return (
        _among(action.verb, rule["verbs"])
        and _among(action.group, rule.get("apiGroups") or ())
        and _among(action.plural, rule.get("resources") or ())
        and (not names or action.name in names)
    )


def _among(one: str, several: Iterable[str]) -> bool:
    return one in several or "*" in several
