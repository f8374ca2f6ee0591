"""The fate of one request at a zone's custom rules, rule by rule. Pure.

Actions: developers.cloudflare.com/ruleset-engine/rules-language/actions/. A solved challenge
accepts the request, which skips the rules behind it; a client that solved it before may meet those.
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
# Parameters by which a rule depends on more than its expression.
_CONDITIONS: Final = frozenset(("exposed_credential_check", "ratelimit"))
_PASSING_ON: Final = frozenset(("log", "skip"))  # unless the rules behind are skipped


class RequestFate(Enum):
    """A possible fate of a request at the custom rules."""

    BLOCKED = "blocked"
    CHALLENGED = "challenged"
    PASSED = "passed"


def fates(rules: Iterable[ZoneRule], request: WebRequest, list_name: str) -> frozenset[RequestFate]:
    """Return all possible fates of a request: one where it is known, several where it is not."""
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
    """Return the fates that continue behind a rule that matches; adds the others to `ends`."""
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
    ends.update(RequestFate)  # another ruleset, or an action newer than this code
    return coming


def skips_the_rest(rule: ZoneRule) -> bool:
    """Whether requests that match a rule skip all those behind it."""
    parameters = _parameters(rule)
    return rule.action == "skip" and "current" in (
        parameters.get("ruleset"),
        parameters.get("phase"),
    )


def _may_skip_some(rule: ZoneRule) -> bool:
    """Whether requests that match a rule may skip one behind it; other phases do not count."""
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
