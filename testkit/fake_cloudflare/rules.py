"""The rules of a ruleset: each keeps its identifier, and the others their order.

https://developers.cloudflare.com/ruleset-engine/rulesets-api/ ("Add a rule", "Update a rule",
"Delete a rule") and https://developers.cloudflare.com/waf/custom-rules/ (actions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from testkit.fake_cloudflare import ruleset_view
from testkit.fake_cloudflare.expressions import checked
from testkit.fake_cloudflare.replies import invalid, not_found, success
from testkit.fake_cloudflare.state import identifier, timestamp
from testkit.fake_cloudflare.validation import fields

if TYPE_CHECKING:
    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.replies import FakeReply
    from testkit.fake_cloudflare.state import StoredRuleset

    Rule = dict[str, Any]

_ACTIONS: Final = ("block", "challenge", "js_challenge", "log", "managed_challenge", "skip")
_TYPES: Final[dict[str, type]] = {
    "action": str,
    "action_parameters": dict,
    "description": str,
    "enabled": bool,
    "expression": str,
    "logging": dict,
    "ref": str,
}
_PLACES: Final = ("before", "after", "index")


def add(call: RoutedCall) -> FakeReply:
    """A new rule, at the end unless a position is given."""
    ruleset = ruleset_view.found(call)
    body = fields(call.body, ("action", "expression"), (*_TYPES, "position"))
    _room(call, len(ruleset.rules) + 1)
    rule = _made(call, body)
    _unique([*ruleset.rules, rule])
    _insert(ruleset.rules, rule, body.get("position"))
    return _touched(ruleset)


def change(call: RoutedCall) -> FakeReply:
    """Another definition for a rule, another place, or both.

    A definition is given as a whole: what is left out of it is not kept, but takes its default.
    """
    ruleset = ruleset_view.found(call)
    rule = _found(call, ruleset)
    body = fields(call.body, (), (*_TYPES, "id", "position"))
    others = [each for each in ruleset.rules if each is not rule]
    changed = rule
    if set(body) & set(_TYPES):
        changed = _made(call, fields(body, ("action", "expression"), tuple(body)), rule)
        _unique([*others, changed])
    if "position" in body:
        _insert(others, changed, body["position"])
        ruleset.rules[:] = others
    else:
        ruleset.rules[ruleset.rules.index(rule)] = changed
    return _touched(ruleset)


def remove(call: RoutedCall) -> FakeReply:
    """Delete a rule."""
    ruleset = ruleset_view.found(call)
    ruleset.rules.remove(_found(call, ruleset))
    return _touched(ruleset)


def replace(call: RoutedCall, ruleset: StoredRuleset, given: Any) -> None:
    """All rules anew. One given with the identifier of an earlier one keeps it."""
    if not isinstance(given, list):
        raise invalid("rules are an array")
    _room(call, len(given))
    known = {rule["id"]: rule for rule in ruleset.rules}
    # What an earlier answer said of a rule may be sent back with it.
    extra = (*_TYPES, "id", "version", "last_updated")
    made = []
    for each in given:
        body = fields(each, ("action", "expression"), extra)
        if body.get("id") is not None and body["id"] not in known:
            raise invalid("a rule has an identifier that no rule of this ruleset has")
        made.append(_made(call, body, known.get(body.get("id"))))
    _unique(made)
    ruleset.rules[:] = made
    _touched(ruleset)


def _made(call: RoutedCall, body: Rule, earlier: Rule | None = None) -> Rule:
    values = _values(call, body)
    known = earlier or {"id": identifier(), "version": "0"}
    ref = values.get("ref", known.get("ref", known["id"]))
    version = str(int(known["version"]) + 1)
    values = {"description": "", "enabled": True, **values, "ref": ref}
    return {"id": known["id"], "version": version, **values, "last_updated": timestamp()}


def _values(call: RoutedCall, body: Rule) -> Rule:
    """What is given of a rule, when it is of the right types and could be carried out."""
    values = {key: value for key, value in body.items() if key in _TYPES}
    for key, value in values.items():
        if not isinstance(value, _TYPES[key]):
            raise invalid(f"{key} is of the wrong type")
    if "action" in values and values["action"] not in _ACTIONS:
        raise invalid(f"an action is one of {', '.join(_ACTIONS)}")
    if "expression" in values:
        lists = call.zone.account.lists.values()
        checked(values["expression"], {each.name: each.kind for each in lists})
    return values


def _room(call: RoutedCall, wanted: int) -> None:
    if wanted > call.zone.account.plan.rules:
        raise invalid("the plan of the zone allows no more custom rules", 19402)


def _unique(all_rules: list[Rule]) -> None:
    refs = [rule["ref"] for rule in all_rules]
    if len(refs) != len(set(refs)) or len({rule["id"] for rule in all_rules}) != len(all_rules):
        raise invalid("two rules have the same identifier or ref")


def _insert(others: list[Rule], rule: Rule, position: Any) -> None:
    """Put a rule among the others: last, or where a position says."""
    if position is None:
        others.append(rule)
        return
    given = fields(position, (), _PLACES)
    if len(given) != 1:
        raise invalid("a position is one of before, after and index")
    place, value = next(iter(given.items()))
    others.insert(_place(others, place, value), rule)


def _place(others: list[Rule], place: str, value: Any) -> int:
    if place == "index":
        if not isinstance(value, int) or not 1 <= value <= len(others) + 1:
            raise invalid("an index is a number from 1 to that of the rules")
        return value - 1
    if value in ("", None):
        return 0 if place == "before" else len(others)
    for number, each in enumerate(others):
        if each["id"] == value:
            return number + (place == "after")
    raise invalid("the position names no rule of this ruleset")


def _found(call: RoutedCall, ruleset: StoredRuleset) -> Rule:
    for rule in ruleset.rules:
        if rule["id"] == call.params["rule"]:
            return rule
    raise not_found("could not find the rule")


def _touched(ruleset: StoredRuleset) -> FakeReply:
    ruleset.version += 1
    ruleset.modified = timestamp()
    return success(ruleset_view.shown(ruleset))
