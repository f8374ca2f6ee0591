"""Our rule among the custom rules of a zone, and the step it needs.

There is one rule of ours for a list in a zone, known by its description: `allowsync:LIST`. All
other rules are foreign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from allowsync.model.value import Value
from allowsync_backends.cloudflare.values import NewRule

if TYPE_CHECKING:
    from allowsync_backends.cloudflare.values import Ruleset, ZoneRule
    from allowsync_backends.cloudflare.zones import Zones

BLOCK: Final = "block"
_SETTINGS: Final = ("action_parameters", "logging", "ref")  # made by hand, and kept


class CreateRuleset(Value):
    """The zone has no custom rules yet: a ruleset has to be made, with this rule in it."""

    rule: NewRule


class AddRule(Value):
    """The rule has to be added behind the present ones."""

    ruleset: Ruleset
    rule: NewRule


class UpdateRule(Value):
    """Our rule is present and has to be changed, in its place."""

    ruleset: Ruleset
    before: ZoneRule
    rule: NewRule


class RemoveRule(Value):
    """Our rule has to be removed; where there are several, all of them."""

    ruleset: Ruleset
    rules: tuple[ZoneRule, ...]


class KeepRule(Value):
    """The rule is as wanted."""

    rule: ZoneRule | None


Step = CreateRuleset | AddRule | UpdateRule | RemoveRule | KeepRule


def description(list_name: str) -> str:
    """Return the description that identifies our rule for a list."""
    return f"allowsync:{list_name}"


def wanted(list_name: str, expression: str) -> NewRule:
    """Return our rule as wanted."""
    return NewRule(expression, BLOCK, description(list_name))


def ours(ruleset: Ruleset | None, list_name: str) -> tuple[ZoneRule, ...]:
    """Return our rules for a list: one, unless it was copied by hand."""
    mark = description(list_name)
    rules = () if ruleset is None else ruleset.rules
    return tuple(one for one in rules if one.description == mark)


def guarding(ruleset: Ruleset | None, list_name: str, expression: str) -> Step:
    """Return the step that makes our rule present, enabled, with that expression."""
    new = wanted(list_name, expression)
    if ruleset is None:
        return CreateRuleset(new)
    mine = ours(ruleset, list_name)
    if any(_same(one, new) for one in mine):
        return KeepRule(next(one for one in mine if _same(one, new)))
    return UpdateRule(ruleset, mine[0], new) if mine else AddRule(ruleset, new)


def unguarding(ruleset: Ruleset | None, list_name: str, only: str | None = None) -> Step:
    """Return the step that removes our rules, or those with `only` that expression."""
    mine = tuple(one for one in ours(ruleset, list_name) if only in (None, one.expression))
    return KeepRule(None) if ruleset is None or not mine else RemoveRule(ruleset, mine)


def skipped_by(ruleset: Ruleset | None, list_name: str) -> tuple[ZoneRule, ...]:
    """Return enabled rules before ours that let requests skip those behind them."""
    rules = () if ruleset is None else ruleset.rules
    mark = description(list_name)
    found: list[ZoneRule] = []
    for one in rules:
        if one.description == mark:
            break
        if one.enabled and one.action == "skip":
            found.append(one)
    return tuple(found)


def body(before: ZoneRule, rule: NewRule) -> dict[str, Any]:
    """Format a changed rule for the API.

    Fields left out of a change take their defaults, so those set by hand beside the expression
    (a response to blocked requests, say) are sent along.
    """
    kept = {key: before.raw[key] for key in _SETTINGS if key in before.raw}
    if before.action != rule.action:
        kept.pop("action_parameters", None)  # each action has its own
    return {
        **kept,
        "expression": rule.expression,
        "action": rule.action,
        "description": rule.description,
        "enabled": rule.enabled,
    }


def _same(one: ZoneRule, new: NewRule) -> bool:
    return (one.expression, one.action, one.enabled) == (new.expression, new.action, new.enabled)


def carry_out(zones: Zones, zone_id: str, step: Step) -> None:
    """Carry out a step. No other rule is written, so none can be lost.

    Raises:
        CloudflareError: It was not done, or cannot be confirmed.
    """
    match step:
        case CreateRuleset(rule):
            zones.create(zone_id, [rule])
        case AddRule(ruleset, rule):
            zones.add(zone_id, ruleset.id, rule)
        case UpdateRule(ruleset, before, rule):
            path = f"/zones/{zone_id}/rulesets/{ruleset.id}/rules/{before.id}"
            zones.transport.write("PATCH", path, body(before, rule))
        case RemoveRule(ruleset, rules):
            for one in rules:
                zones.delete(zone_id, ruleset.id, one.id)
        case KeepRule():
            return
        case _:
            assert_never(step)
