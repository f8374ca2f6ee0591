"""What a zone's custom rules make of one request, rule by rule. Pure.

Actions: developers.cloudflare.com/ruleset-engine/rules-language/actions/. A request that passes a
challenge goes on to the rules behind it, as one that is only logged does.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.cloudflare.rules_language import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync_backends.cloudflare.rules_language import WebRequest
    from allowsync_backends.cloudflare.values import ZoneRule

STOPPING: Final = frozenset(
    ("block", "challenge", "interactive_challenge", "js_challenge", "managed_challenge")
)
_PASSING_ON: Final = frozenset(("log", "skip"))  # unless what is skipped are the rules behind


class RequestFate(Enum):
    """What can become of a request at the custom rules."""

    BLOCKED = "blocked"
    CHALLENGED = "challenged"
    PASSED = "passed"


def fates(rules: Iterable[ZoneRule], request: WebRequest, list_name: str) -> frozenset[RequestFate]:
    """All that can become of a request: one fate where it is known, several where it is not."""
    ends: set[RequestFate] = set()
    on_the_way = {RequestFate.PASSED}
    for rule in rules:
        matches = evaluate(rule.expression, request, list_name) if rule.enabled else False
        if matches is False:
            continue
        stays = set(on_the_way) if matches is None else set()
        on_the_way = stays | _met(rule, on_the_way, ends)
        if not on_the_way:
            break
    return frozenset(ends | on_the_way)


def _met(rule: ZoneRule, coming: set[RequestFate], ends: set[RequestFate]) -> set[RequestFate]:
    """What goes on to the next rule of that which meets one, and into `ends` what does not."""
    if rule.action == "block":
        ends.add(RequestFate.BLOCKED)
        return set()
    if rule.action in STOPPING:
        return {RequestFate.CHALLENGED}
    if rule.action in _PASSING_ON:
        if not skips_the_rest(rule):
            return coming
        ends.update(coming)
        return set()
    ends.update(RequestFate)  # a set of rules of its own, or an action that came later than this
    return coming


def skips_the_rest(rule: ZoneRule) -> bool:
    """Whether what meets a rule meets none of those behind it."""
    given: Any = rule.raw.get("action_parameters")
    parameters: Mapping[str, Any] = given if isinstance(given, dict) else {}
    return rule.action == "skip" and "current" in (
        parameters.get("ruleset"),
        parameters.get("phase"),
    )
