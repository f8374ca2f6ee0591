"""Whose word counts for where a request comes from: what the documentation says, tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.traefik import TYPE, TraefikOptions

from allowsync.model.target import Placement
from tests.support.gates import allow
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.requests import claimed_status, status
from tests.traefik.real import BELIEVING, CLAIMED, HTTP, TRUSTING, URL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

ROUTER: Final = """
http:
  routers:
    told:
      rule: PathPrefix(`/`)
      entryPoints: [web, trusting, believing, claimed]
      service: app
      middlewares: [allowsync-x]
"""

GOES: Final = 200
REFUSED: Final = 403

# With these options: port, who asks, what the header says, and what comes of it. The stranger's
# address is that of the proxy where one is trusted.
CASES: Final[tuple[tuple[dict[str, Any], tuple[tuple[int, str, str, int], ...]], ...]] = (
    (
        {},
        (
            (HTTP, FRIEND, "", GOES),
            (HTTP, FRIEND6, "", GOES),
            (HTTP, STRANGER, FRIEND, REFUSED),
            (TRUSTING, STRANGER, FRIEND, REFUSED),
            (BELIEVING, STRANGER6, FRIEND6, REFUSED),
        ),
    ),
    (
        {"depth": 1},
        (
            (HTTP, FRIEND, "", REFUSED),  # nobody is believed, so the header is taken away
            (HTTP, STRANGER, FRIEND, REFUSED),
            (TRUSTING, STRANGER, FRIEND, GOES),
            (TRUSTING, STRANGER6, FRIEND6, GOES),
            (TRUSTING, STRANGER, f"{FRIEND}, 8.8.8.8", REFUSED),
            (TRUSTING, FRIEND, FRIEND, REFUSED),
            (BELIEVING, STRANGER, FRIEND, GOES),  # what `check` warns of
        ),
    ),
    (
        {"depth": 2},
        (
            (TRUSTING, STRANGER, f"{FRIEND}, 10.1.1.1", GOES),
            (TRUSTING, STRANGER, f"{FRIEND}, 8.8.8.8", GOES),  # what `check` says of one proxy
        ),
    ),
    (
        {"excluded": "0.0.0.0/1"},
        ((TRUSTING, STRANGER, f"{FRIEND}, 8.8.8.8", REFUSED),),
    ),
    (
        {"excluded": "128.0.0.0/1"},
        ((TRUSTING, STRANGER, f"{FRIEND}, 193.99.144.80", GOES),),  # what `check` warns of
    ),
    (
        {"excluded": "10.0.0.0/8"},
        (
            (HTTP, FRIEND, "", REFUSED),
            (TRUSTING, STRANGER, f"{FRIEND}, 10.1.1.1", GOES),
            (TRUSTING, STRANGER, f"{FRIEND}, 8.8.8.8, 10.1.1.1", REFUSED),
            (TRUSTING, FRIEND, FRIEND, REFUSED),
        ),
    ),
)


def wrong(inside: Namespace, folder: Path) -> Iterator[str]:
    """A line for each request that is not answered as documented."""
    from ipaddress import ip_network

    (folder / "told.yml").write_text(ROUTER)
    for written, requests in CASES:
        options = dict(written)
        if "excluded" in options:
            options["excluded_ips"] = (ip_network(options.pop("excluded")),)
        given = TraefikOptions(path=folder / "friends.yml", api=URL, **options)
        allow(inside, TYPE.make(Placement("x", "x/traefik"), given), FRIEND, FRIEND6)
        for port, source, said, expected in requests:
            headers = {"X-Forwarded-For": said} if said else {}
            answer = status(inside, source, port, headers=headers)
            if answer != expected:
                yield f"{written}, port {port}: {source} saying {said!r} got {answer}"
        if not written and claimed_status(inside, STRANGER, CLAIMED, FRIEND) != GOES:
            yield "a PROXY header of anybody is believed where proxyProtocol is insecure"
    for name in ("told.yml", "friends.yml"):
        (folder / name).unlink()
