"""Who may ask for what, and how often: tokens, their permissions, the accounts they may see.

Codes as clients report them: 9106 for no credentials, 6003 caused by 6111 for a header that cannot
be one, 9109 for a token from an address that its IP filtering shuts out. An unknown token is
answered 9109 by the routes of zones and 10000 by the others, which with HTTP 403 is a lacking
permission.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from testkit.fake_cloudflare.limits import Requests
from testkit.fake_cloudflare.replies import CallRefused

if TYPE_CHECKING:
    from testkit.fake_cloudflare.routes import Route
    from testkit.fake_cloudflare.state import CloudState

AUTHENTICATION: Final = 10000
ACCESS_TOKEN: Final = 9109

_BEARER: Final = re.compile(r"Bearer ([\x21-\x7e]+)")


def admit(
    cloud: CloudState, route: Route, params: dict[str, str], authorization: str | None
) -> None:
    """Let a request pass.

    Raises:
        CallRefused: It may not be asked by whoever asks.
    """
    if not route.needs:
        return
    if authorization is None:
        missing = "Missing X-Auth-Key, X-Auth-Email or Authorization headers"
        raise CallRefused(400, 9106, missing)
    bearer = _BEARER.fullmatch(authorization)
    if bearer is None:
        cause = (6111, "Invalid format for Authorization header")
        raise CallRefused(400, 6003, "Invalid request headers", cause=cause)
    permissions = cloud.tokens.get(bearer[1])
    if permissions is None:
        raise _unknown(route)
    if address := cloud.filtered.get(bearer[1]):
        what = f"Cannot use the access token from location: {address}"
        raise CallRefused(403, ACCESS_TOKEN, what)
    cloud.requests.setdefault(bearer[1], Requests()).one_more(cloud.clock())
    if permissions.isdisjoint(route.needs):
        raise CallRefused(403, AUTHENTICATION, "Authentication error")
    if "account" in params and params["account"] not in cloud.accounts:
        raise CallRefused(403, AUTHENTICATION, "Authentication error")


def _unknown(route: Route) -> CallRefused:
    if route.template.startswith("/zones"):
        return CallRefused(403, ACCESS_TOKEN, "Invalid access token")
    return CallRefused(401, AUTHENTICATION, "Authentication error")
