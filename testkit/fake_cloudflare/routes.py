"""Which request goes where, under which name, and what a token needs for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from testkit.fake_cloudflare import items, lists, operations, published, rules, rulesets
from testkit.fake_cloudflare.replies import CallRefused, no_route, not_found, success
from testkit.fake_cloudflare.state import Permission

if TYPE_CHECKING:
    from collections.abc import Callable

    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.replies import FakeReply

# An identifier has 32 characters; what has another shape finds no route.
_SHAPES: Final = {"phase": "[a-z_]+"}
_IDENTIFIER: Final = "[0-9a-f]{32}"
_GAP: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API.

    Attributes:
        name: What faults and tests call it.
        answer: Who answers it.
        needs: One of these permissions is enough; none are needed if there are none.
    """

    name: str
    method: str
    template: str
    answer: Callable[[RoutedCall], FakeReply]
    needs: tuple[Permission, ...]

    def matches(self, path: str) -> dict[str, str] | None:
        """The identifiers in a path, if it is one of this route."""
        found = re.fullmatch(_GAP.sub(_gap, self.template), path, re.ASCII)
        return None if found is None else found.groupdict()


def _gap(gap: re.Match[str]) -> str:
    return f"(?P<{gap[1]}>{_SHAPES.get(gap[1], _IDENTIFIER)})"


def _operation(call: RoutedCall) -> FakeReply:
    found = call.account.operations.get(call.params["operation"])
    if found is None:
        raise not_found("could not find the operation")
    return success(operations.poll(found))


_LISTS: Final = "/accounts/{account}/rules/lists"
_LIST: Final = _LISTS + "/{list}"
_ITEMS: Final = _LIST + "/items"
_RULESETS: Final = "/zones/{zone}/rulesets"
_RULES: Final = _RULESETS + "/{ruleset}/rules"
_ENTRY: Final = _RULESETS + "/phases/{phase}/entrypoint"

_READ: Final = (Permission.LISTS_READ, Permission.LISTS_EDIT)
_EDIT: Final = (Permission.LISTS_EDIT,)
_WAF_READ: Final = (Permission.WAF_READ, Permission.WAF_EDIT)
_WAF_EDIT: Final = (Permission.WAF_EDIT,)

ROUTES: Final = (
    Route("lists.list", "GET", _LISTS, lists.index, _READ),
    Route("lists.create", "POST", _LISTS, lists.create, _EDIT),
    Route("lists.get", "GET", _LIST, lists.show, _READ),
    Route("lists.update", "PUT", _LIST, lists.describe, _EDIT),
    Route("lists.delete", "DELETE", _LIST, lists.delete, _EDIT),
    Route("items.list", "GET", _ITEMS, items.index, _READ),
    Route("items.create", "POST", _ITEMS, items.create, _EDIT),
    Route("items.replace", "PUT", _ITEMS, items.replace, _EDIT),
    Route("items.delete", "DELETE", _ITEMS, items.delete, _EDIT),
    Route("items.get", "GET", _ITEMS + "/{item}", items.show, _READ),
    Route("operations.get", "GET", _LISTS + "/bulk_operations/{operation}", _operation, _READ),
    Route("zones.list", "GET", "/zones", rulesets.zones, (Permission.ZONE_READ,)),
    Route("rulesets.list", "GET", _RULESETS, rulesets.index, _WAF_READ),
    Route("rulesets.create", "POST", _RULESETS, rulesets.create, _WAF_EDIT),
    Route("rulesets.get", "GET", _RULESETS + "/{ruleset}", rulesets.show, _WAF_READ),
    Route("entrypoint.get", "GET", _ENTRY, rulesets.entry_point, _WAF_READ),
    Route("entrypoint.update", "PUT", _ENTRY, rulesets.replace, _WAF_EDIT),
    Route("rules.create", "POST", _RULES, rules.add, _WAF_EDIT),
    Route("rules.update", "PATCH", _RULES + "/{rule}", rules.change, _WAF_EDIT),
    Route("rules.delete", "DELETE", _RULES + "/{rule}", rules.remove, _WAF_EDIT),
    Route("ips", "GET", "/ips", published.show, ()),
)
"""All there is."""


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and the identifiers in its path.

    Raises:
        CallRefused: There is none: nothing has this path, or nothing of it this method.
    """
    matching = [(each, params) for each in ROUTES if (params := each.matches(path)) is not None]
    for route, params in matching:
        if route.method == method:
            return route, params
    if matching:
        allowed = {"Allow": ", ".join(sorted(route.method for route, _ in matching))}
        raise CallRefused(405, 10405, f"method {method} is not allowed here", allowed)
    raise no_route(path)
