"""Zones and their rulesets, as far as a custom rule of the firewall needs them.

https://developers.cloudflare.com/ruleset-engine/rulesets-api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from testkit.fake_cloudflare import rules
from testkit.fake_cloudflare.replies import invalid, not_found, success
from testkit.fake_cloudflare.ruleset_view import NO_ENTRY_POINT, found, shown, summary
from testkit.fake_cloudflare.state import StoredRuleset, identifier, timestamp
from testkit.fake_cloudflare.validation import fields

if TYPE_CHECKING:
    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.replies import FakeReply
    from testkit.fake_cloudflare.state import StoredZone

CUSTOM: Final = "http_request_firewall_custom"

_ZONES: Final = (5, 50)


def zones(call: RoutedCall) -> FakeReply:
    """The zones, or the one of a name, in pages of 5 to 50."""
    page, size = (_number(call.query.get(key), low) for key, low in (("page", 1), ("per_page", 20)))
    if not _ZONES[0] <= size <= _ZONES[1] or page < 1:
        raise invalid("page is a number from 1, per_page from 5 to 50")
    wanted = call.query.get("name")
    found = [zone for zone in call.cloud.zones.values() if wanted in (None, zone.name)]
    shown = found[(page - 1) * size : page * size]
    pages = -(-len(found) // size)
    info = {"page": page, "per_page": size, "count": len(shown), "total_count": len(found)}
    return success([_zone(each) for each in shown], {**info, "total_pages": pages})


def _number(text: str | None, usual: int) -> int:
    if text is None:
        return usual
    return int(text) if text.isascii() and text.isdigit() else -1


def _zone(zone: StoredZone) -> dict[str, Any]:
    account = {"id": zone.account.id, "name": zone.account.name}
    return {
        "id": zone.id,
        "name": zone.name,
        "status": zone.status,
        "paused": zone.paused,
        "type": "full",
        "account": account,
    }


def index(call: RoutedCall) -> FakeReply:
    """The rulesets of a zone, without their rules."""
    return success([summary(each) for each in call.zone.rulesets.values()])


def show(call: RoutedCall) -> FakeReply:
    """One ruleset with its rules."""
    return success(shown(found(call)))


def entry_point(call: RoutedCall) -> FakeReply:
    """The ruleset a phase begins with. Until the first rule of a zone there is none."""
    ruleset = call.zone.rulesets.get(call.params["phase"])
    if ruleset is None:
        phase = call.params["phase"]
        raise not_found(
            f"could not find entrypoint ruleset in the {phase} phase for this zone", NO_ENTRY_POINT
        )
    return success(shown(ruleset))


def create(call: RoutedCall) -> FakeReply:
    """The entry point of a phase that has none yet."""
    body = fields(call.body, ("name", "kind", "phase"), ("description", "rules"))
    if body["kind"] != "zone" or body["phase"] != CUSTOM:
        raise invalid(f"a ruleset of a zone has the kind zone, here with the phase {CUSTOM}")
    if CUSTOM in call.zone.rulesets:
        raise invalid("the phase has an entry point already", 19409)
    ruleset = _made(body)
    rules.replace(call, ruleset, body.get("rules", []))
    call.zone.rulesets[CUSTOM] = ruleset
    return success(shown(ruleset))


def replace(call: RoutedCall) -> FakeReply:
    """All rules of an entry point anew; it is made if there is none."""
    body = fields(call.body, ("rules",), ("name", "description", "kind", "phase"))
    if call.params["phase"] != CUSTOM:
        raise invalid(f"only the phase {CUSTOM} can be written here")
    ruleset = call.zone.rulesets.get(CUSTOM) or _made(body)
    rules.replace(call, ruleset, body["rules"])
    ruleset.description = str(body.get("description", ruleset.description))
    call.zone.rulesets[CUSTOM] = ruleset
    return success(shown(ruleset))


def _made(body: dict[str, Any]) -> StoredRuleset:
    name, description = str(body.get("name", "default")), str(body.get("description", ""))
    return StoredRuleset(identifier(), CUSTOM, name, description, timestamp(), version=0)
