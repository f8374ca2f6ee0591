"""Domains, and the custom rules that refer to a list: the second part of the client.

Endpoints: developers.cloudflare.com/api, "Zones" and "Rulesets"; the phase is that of the WAF's
custom rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync_backends.cloudflare import api_parser
from allowsync_backends.cloudflare.client import each, parsed
from allowsync_backends.cloudflare.errors import NotFound
from allowsync_backends.cloudflare.values import PHASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.transport import ApiTransport
    from allowsync_backends.cloudflare.values import NewRule, Ruleset, Zone

_PAGE: Final = 50  # zones; the API's limit
_MOST_PAGES: Final = 200


class Zones:
    """Domains and their custom rules. Needs *Zone: Read* and *Zone WAF: Edit* beside the lists'.

    Every method may raise a `CloudflareError`.

    Args:
        transport: Sends the requests: `client.transport`.
    """

    def __init__(self, transport: ApiTransport) -> None:
        self.transport = transport

    def find(self, name: str) -> Zone | None:
        """Return the zone of a domain; None when the token sees none of that name."""
        reply = self.transport.read("/zones", {"name": name})
        zones = parsed("GET", "/zones", reply, each(api_parser.zone))
        return next((one for one in zones if one.name == name), None)

    def rules(self, zone_id: str) -> Ruleset | None:
        """Return the custom rules of a zone; None when it never had one."""
        path = f"/zones/{zone_id}/rulesets/phases/{PHASE}/entrypoint"
        try:
            reply = self.transport.read(path)
        except NotFound:
            return None
        return parsed("GET", path, reply, api_parser.ruleset)

    def create(self, zone_id: str, rules: Iterable[NewRule]) -> Ruleset:
        """Create the zone's set of custom rules, where `rules` found none."""
        path = f"/zones/{zone_id}/rulesets"
        body = {
            "name": "default",
            "kind": "zone",
            "phase": PHASE,
            "rules": [api_parser.as_rule(one) for one in rules],
        }
        return parsed("POST", path, self.transport.write("POST", path, body), api_parser.ruleset)

    def add(self, zone_id: str, ruleset_id: str, rule: NewRule) -> Ruleset:
        """Add a rule behind all others, which keep their ids and order."""
        path = f"/zones/{zone_id}/rulesets/{ruleset_id}/rules"
        reply = self.transport.write("POST", path, api_parser.as_rule(rule))
        return parsed("POST", path, reply, api_parser.ruleset)

    def update(self, zone_id: str, ruleset_id: str, rule_id: str, rule: NewRule) -> Ruleset:
        """Change a rule in its place."""
        path = f"/zones/{zone_id}/rulesets/{ruleset_id}/rules/{rule_id}"
        reply = self.transport.write("PATCH", path, api_parser.as_rule(rule))
        return parsed("PATCH", path, reply, api_parser.ruleset)

    def delete(self, zone_id: str, ruleset_id: str, rule_id: str) -> None:
        """Delete a rule."""
        path = f"/zones/{zone_id}/rulesets/{ruleset_id}/rules/{rule_id}"
        self.transport.write("DELETE", path)


def zones(client: CloudflareClient) -> Iterator[Zone]:
    """Yield every zone of the account that the token may see.

    Raises:
        CloudflareError: They could not be read.
    """
    for page in range(1, _MOST_PAGES + 1):
        asked = {"per_page": str(_PAGE), "page": str(page)}
        reply = client.transport.read("/zones", asked)
        found = parsed("GET", "/zones", reply, lambda one: list(map(api_parser.zone, one or [])))
        yield from (one for one in found if one.account == client.account)
        if len(found) < _PAGE:
            return
