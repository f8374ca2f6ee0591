"""The proxies that Traefik trusts about client addresses."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.target import TrustedProxies
from allowsync.model.value import replace
from allowsync_backends.common.server.listeners import listening_ports, together
from allowsync_backends.traefik.api import Api, ApiError
from allowsync_backends.traefik.check import guarded_routers, reached

if TYPE_CHECKING:
    from allowsync_backends.traefik.api import TraefikEntryPoint
    from allowsync_backends.traefik.options import TraefikOptions
    from allowsync_backends.traefik.syntax import TraefikSyntax

ADVICE: Final = "depth or excluded_ips, and forwardedHeaders.trustedIPs in Traefik"
HEADER: Final = "X-Forwarded-For"
_EVERYBODY: Final = ("0.0.0.0/0", "::/0")


def believed(options: TraefikOptions, syntax: TraefikSyntax) -> TrustedProxies | None:
    """Return the trusted proxies where the middleware is used, as far as the API shows them.

    Without `depth` and `excluded_ips` there are none, whatever the entry points trust. The
    ports of a container are others.
    """
    points = () if options.api is None else _entry_points(Api(options.api), syntax)
    if not points:
        return None if options.believes_headers else TrustedProxies(advice=ADVICE)
    found = together([_at(one, headers=options.believes_headers) for one in points], ADVICE)
    return found if found is None or options.container is None else replace(found, ports=())


def _at(point: TraefikEntryPoint, *, headers: bool) -> TrustedProxies | None:
    ports = listening_ports([point.address.removesuffix("/tcp")])
    if not ports or point.by_protocol:
        return None
    if not headers:
        return TrustedProxies(ports=ports)
    try:
        told = _EVERYBODY if point.from_anybody else point.trusted
        networks = tuple(ip_network(text, strict=False) for text in told)
    except ValueError:
        return None
    return TrustedProxies(networks, (HEADER,), ports)


def _entry_points(api: Api, syntax: TraefikSyntax) -> tuple[TraefikEntryPoint, ...]:
    """Return those of the routers that use the middleware; none where the API does not answer."""
    try:
        routers = [one for kind in syntax.kinds for one in guarded_routers(api, kind, syntax)]
        return reached(api, routers)
    except ApiError:
        return ()
