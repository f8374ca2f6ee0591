"""What a zone's custom rules make of one request, rule by rule. Pure.

Actions: developers.cloudflare.com/ruleset-engine/rules-language/actions/. A challenge that is
solved accepts the request, which meets no rule behind it; who solved it before may meet those.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.cloudflare.rules_language import evaluate
from allowsync_backends.cloudflare.values import PHASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync_backends.cloudflare.rules_language import WebRequest
    from allowsync_backends.cloudflare.values import ZoneRule

STOPPING: Final = frozenset(
    ("block", "challenge", "interactive_challenge", "js_challenge", "managed_challenge")
)
# A rule that has one of these asks for more than its expression does.
_CONDITIONS: Final = frozenset(("exposed_credential_check", "ratelimit"))
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
        matches = _matches(rule, request, list_name)
        if matches is False:
            continue
        stays = set(on_the_way) if matches is None else set()
        on_the_way = stays | _met(rule, on_the_way, ends)
        if not on_the_way:
            break
    return frozenset(ends | on_the_way)


def _matches(rule: ZoneRule, request: WebRequest, list_name: str) -> bool | None:
    matches = evaluate(rule.expression, request, list_name) if rule.enabled else False
    return None if matches and rule.raw.keys() & _CONDITIONS else matches


def _met(rule: ZoneRule, coming: set[RequestFate], ends: set[RequestFate]) -> set[RequestFate]:
    """What goes on to the next rule of that which meets one, and into `ends` what does not."""
    if rule.action == "block":
        ends.add(RequestFate.BLOCKED)
        return set()
    if rule.action in STOPPING:
        ends.add(RequestFate.CHALLENGED)
        return {RequestFate.CHALLENGED}
    if rule.action in _PASSING_ON:
        if skips_the_rest(rule):
            ends.update(coming)
            return set()
        if _may_skip_some(rule):
            ends.update(coming)
        return coming
    ends.update(RequestFate)  # a set of rules of its own, or an action that came later than this
    return coming


def skips_the_rest(rule: ZoneRule) -> bool:
    """Whether what meets a rule meets none of those behind it."""
    parameters = _parameters(rule)
    return rule.action == "skip" and "current" in (
        parameters.get("ruleset"),
        parameters.get("phase"),
    )


def _may_skip_some(rule: ZoneRule) -> bool:
    """Whether what meets a rule may miss one behind it: other phases and products are none."""
    parameters = _parameters(rule)
    phases = parameters.get("phases") or []
    return rule.action == "skip" and (
        bool(parameters.keys() - {"phases", "products"})
        or not isinstance(phases, list)
        or PHASE in phases
    )


def _parameters(rule: ZoneRule) -> Mapping[str, Any]:
    given: Any = rule.raw.get("action_parameters")
    return given if isinstance(given, dict) else {}
