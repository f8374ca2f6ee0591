"""Who may ask for what, and how often: tokens, their permissions, the accounts they may see.

Codes as clients report them: 9106 for no credentials, 6003 for a header that cannot be one, 10000
for a token that is unknown or lacks a permission.
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
        raise CallRefused(400, 6003, "Invalid request headers")
    permissions = cloud.tokens.get(bearer[1])
    if permissions is None:
        raise CallRefused(401, AUTHENTICATION, "Authentication error")
    cloud.requests.setdefault(bearer[1], Requests()).one_more(cloud.clock())
    if permissions.isdisjoint(route.needs):
        raise CallRefused(403, AUTHENTICATION, "Authentication error")
    if "account" in params and params["account"] not in cloud.accounts:
        raise CallRefused(403, AUTHENTICATION, "Authentication error")
