"""A zone's ruleset: found by the path of a request, and as JSON in replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from testkit.fake_cloudflare.replies import not_found

if TYPE_CHECKING:
    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.state import StoredRuleset

NO_ENTRY_POINT: Final = 10003


def found(call: RoutedCall) -> StoredRuleset:
    """The ruleset of the path."""
    for ruleset in call.zone.rulesets.values():
        if ruleset.id == call.params["ruleset"]:
            return ruleset
    raise not_found("could not find the ruleset", NO_ENTRY_POINT)


def shown(ruleset: StoredRuleset) -> dict[str, Any]:
    """A ruleset as it is answered, with its rules."""
    return {**summary(ruleset), "rules": [dict(rule) for rule in ruleset.rules]}


def summary(ruleset: StoredRuleset) -> dict[str, Any]:
    """A ruleset as it is listed, without its rules."""
    return {
        "id": ruleset.id,
        "name": ruleset.name,
        "description": ruleset.description,
        "kind": "zone",
        "phase": ruleset.phase,
        "version": str(ruleset.version),
        "last_updated": ruleset.modified,
    }
