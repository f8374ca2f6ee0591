"""Rules as lines for people and as documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from allowsync.report.text import filled
from allowsync.text import Line
from allowsync_backends.cloudflare.commands.expression import lists_in
from allowsync_backends.cloudflare.commands.rule_plan import (
    AddRule,
    CreateRuleset,
    KeepRule,
    RemoveRule,
    UpdateRule,
    skipped_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync_backends.cloudflare.commands.rule_plan import Step
    from allowsync_backends.cloudflare.values import NewRule, Ruleset, ZoneRule


def rule_lines(zone: str, ruleset: Ruleset | None) -> Iterator[Line]:
    """Lay out every custom rule of a zone, in evaluation order."""
    from allowsync.text import counted

    rules = () if ruleset is None else ruleset.rules
    yield Line(f"{zone} has {counted(len(rules), 'custom rule')}")
    for number, one in enumerate(rules, 1):
        yield from _rule(f"{number:>3}", one)
    yield from _warnings(ruleset)


def rules_document(ruleset: Ruleset | None) -> dict[str, Any]:
    """Return the custom rules of a zone as a document."""
    return {"rules": [_document(one) for one in (() if ruleset is None else ruleset.rules)]}


def step_lines(zone: str, list_name: str, step: Step, *, done: bool) -> Iterator[Line]:
    """Lay out a step for the rules of a zone, done or planned."""
    yield Line(zone)
    match step:
        case CreateRuleset(rule) | AddRule(_, rule):
            yield from _rule("  +", rule, "green")
        case UpdateRule(_, before, rule):
            yield from _rule("  -", before, "red")
            yield from _rule("  +", rule, "green")
        case RemoveRule(_, rules):
            for one in rules:
                yield from _rule("  -", one, "red")
        case KeepRule(None):
            yield Line(f"  there is no rule of ours for the list {list_name}")
        case KeepRule(rule):
            yield Line(f"  the rule for the list {list_name} is as it should be")
        case _:
            assert_never(step)
    yield from _warnings(getattr(step, "ruleset", None), list_name)
    if not isinstance(step, KeepRule):
        yield Line(f"  {_counted(step, done=done)}; no other rule is touched")


def step_document(
    step: Step, after: Ruleset | None, list_name: str, *, dry_run: bool
) -> dict[str, Any]:
    """Return a step as a document, with the rules afterwards."""
    before, rule, outcome = _sides(step)
    if outcome != "unchanged" and dry_run:
        outcome = "planned"
    shown = after if after is not None else getattr(step, "ruleset", None)
    return {
        "outcome": outcome,
        "before": [_document(one) for one in before],
        "after": None if rule is None else _new_document(rule),
        "skipped_by": [_document(one) for one in skipped_by(shown, list_name)],
    }


def _sides(step: Step) -> tuple[tuple[ZoneRule, ...], NewRule | ZoneRule | None, str]:
    match step:
        case CreateRuleset(rule) | AddRule(_, rule):
            return (), rule, "created"
        case UpdateRule(_, before, rule):
            return (before,), rule, "changed"
        case RemoveRule(_, rules):
            return rules, None, "removed"
        case KeepRule(rule):
            return (() if rule is None else (rule,)), rule, "unchanged"
        case _:
            assert_never(step)


def _counted(step: Step, *, done: bool) -> str:
    _, _, outcome = _sides(step)
    verb = {"created": "make", "changed": "change", "removed": "remove"}
    number = len(step.rules) if isinstance(step, RemoveRule) else 1
    return f"{number} {outcome}" if done else f"{number} to {verb[outcome]}"


def _rule(sign: str, one: ZoneRule | NewRule, colour: str = "") -> Iterator[Line]:
    state = "" if one.enabled else ", switched off"
    head = f"{one.description or '(no description)'}: {one.action}{state}"
    for text in filled(head, f"{sign} ", "    "):
        yield Line(text, colour)
    for text in filled(one.expression, "      ", "      "):
        yield Line(text, colour)


def _warnings(ruleset: Ruleset | None, list_name: str | None = None) -> Iterator[Line]:
    marked = [one for one in _ours(ruleset) if list_name in (None, one)] or [list_name or ""]
    for name in marked:
        for one in skipped_by(ruleset, name) if name else ():
            named = one.description or one.expression
            what = f"an earlier rule lets requests skip the rule of {name}: {named}"
            yield from (Line(text, "yellow") for text in filled(what, "  ! ", "    "))


def _ours(ruleset: Ruleset | None) -> list[str]:
    prefix = "allowsync:"
    rules = () if ruleset is None else ruleset.rules
    return [
        one.description.removeprefix(prefix) for one in rules if one.description.startswith(prefix)
    ]


def _document(one: ZoneRule) -> dict[str, Any]:
    return {"id": one.id, **_new_document(one)}


def _new_document(one: ZoneRule | NewRule) -> dict[str, Any]:
    return {
        "description": one.description,
        "action": one.action,
        "enabled": one.enabled,
        "expression": one.expression,
        "lists": sorted(lists_in(one.expression)),
        "ours": one.description.startswith("allowsync:"),
    }
