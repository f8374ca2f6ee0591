"""The networks Cloudflare connects to origins from, as a source for a host's `networks`.

`GET /ips` needs no token (developers.cloudflare.com/api, "Cloudflare IPs").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.policy.published import NetworkSource, SourceError
from allowsync_backends.cloudflare.options import API_URL

if TYPE_CHECKING:
    from allowsync.model.types import Network
    from allowsync_backends.cloudflare.time_budget import PollClock

PATIENCE: Final = 3.0  # seconds: a run waits for it


def ask(url: str, clock: PollClock | None = None) -> tuple[Network, ...]:
    """Return every network that Cloudflare publishes now.

    Args:
        url: The URL of the API.
        clock: The clock, for tests.

    Raises:
        SourceError: They could not be fetched.
    """
    from allowsync_backends.cloudflare.client import connect
    from allowsync_backends.cloudflare.errors import CloudflareError

    try:
        with connect(url, None, "", clock=clock, patience=PATIENCE) as client:
            return client.published_ranges().networks
    except CloudflareError as error:
        raise SourceError(str(error)) from error


# The first is replaced, the second appended to; all others are passed on as the client wrote them
# (developers.cloudflare.com/fundamentals/reference/http-headers).
HEADERS: Final = ("CF-Connecting-IP", "X-Forwarded-For")

SOURCE = NetworkSource(
    "cloudflare", "what Cloudflare connects to origins from", API_URL, ask, HEADERS
)
