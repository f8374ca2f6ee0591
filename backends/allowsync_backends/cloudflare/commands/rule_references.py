"""The rules that refer to a list. The API only counts them, so all zones are searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value
from allowsync_backends.cloudflare.commands.expression import lists_in
from allowsync_backends.cloudflare.error_messages import what_happened
from allowsync_backends.cloudflare.errors import CloudflareError
from allowsync_backends.cloudflare.zones import Zones, zones

if TYPE_CHECKING:
    from allowsync_backends.cloudflare.client import CloudflareClient


class Used(Value):
    """The references to a list.

    Attributes:
        places: The rules, in words.
        unknown: The reason why there may be more; empty where every zone was searched.
    """

    places: tuple[str, ...]
    unknown: str = ""


def rules_with(client: CloudflareClient, list_name: str) -> Used:
    """Return the custom rules that refer to a list, of all zones that the token sees."""
    places: list[str] = []
    try:
        for zone in zones(client):
            ruleset = Zones(client.transport).rules(zone.id)
            for one in ruleset.rules if ruleset is not None else ():
                if list_name in lists_in(one.expression):
                    named = one.description or one.expression
                    places.append(f"{zone.name}: {one.action} rule {named!r}")
    except CloudflareError as error:
        return Used(tuple(places), what_happened(error))
    return Used(tuple(places))
