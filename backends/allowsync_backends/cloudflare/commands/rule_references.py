"""Which rules refer to a list. The API only counts them, so the zones are looked through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync_backends.cloudflare import api_parser
from allowsync_backends.cloudflare.client import parsed
from allowsync_backends.cloudflare.commands.expression import lists_in
from allowsync_backends.cloudflare.error_messages import what_happened
from allowsync_backends.cloudflare.errors import CloudflareError
from allowsync_backends.cloudflare.zones import Zones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.values import Zone

_PAGE: Final = 50  # zones; the API's most
_MOST_PAGES: Final = 200


class Used(Value):
    """Where a list is referred to.

    Attributes:
        places: The rules, in words.
        unknown: Why there may be more; empty where every zone was looked through.
    """

    places: tuple[str, ...]
    unknown: str = ""


def rules_with(client: CloudflareClient, list_name: str) -> Used:
    """The custom rules of the account's zones that refer to a list, as far as the token may see."""
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


def zones(client: CloudflareClient) -> Iterator[Zone]:
    """Every zone of the account that the token may see.

    Raises:
        CloudflareError: They could not be found out.
    """
    for page in range(1, _MOST_PAGES + 1):
        asked = {"per_page": str(_PAGE), "page": str(page)}
        reply = client.transport.read("/zones", asked)
        found = parsed("GET", "/zones", reply, lambda one: list(map(api_parser.zone, one or [])))
        yield from (one for one in found if one.account == client.account)
        if len(found) < _PAGE:
            return
