"""The proxies that nginx trusts about client addresses (ngx_http_realip_module). Pure.

A directive applies to inner blocks, unless they have one of its name.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.target import TrustedProxies
from allowsync_backends.common.server.listeners import listening_ports, together
from allowsync_backends.nginx.configuration import places, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.nginx.configuration import DirectivePlace, NginxDirective

ADVICE: Final = "set_real_ip_from for each of its networks, and real_ip_header"
_DEFAULT_HEADER: Final = "X-Real-IP"
_DEFAULT_PORT: Final = 80
_PROTOCOL: Final = "proxy_protocol"


def believed(whole: tuple[NginxDirective, ...], path: str) -> TrustedProxies | None:
    """Return the trusted proxies where our file is included: of several, the strictest one's.

    None where it is not included, or in no server of HTTP, or where that is unknown.
    """
    return together([_at(place) for place in places(whole, path)], ADVICE)


def _at(place: DirectivePlace) -> TrustedProxies | None:
    names = [one.name for one in place.around]
    if "http" not in names:
        return None
    if "server" in names:
        server = place.around[names.index("server")]
        return _of([server], [*(one.block for one in place.around), place.siblings])
    # Included in `http`, it defines a variable, which any server may use.
    servers = [one for one in walk(place.siblings) if one.name == "server" and one.block]
    return _of(servers, [tuple(walk(place.siblings))])


def _of(
    servers: Iterable[NginxDirective], scopes: Sequence[Sequence[NginxDirective]]
) -> TrustedProxies | None:
    listens = [one.words[1:] for server in servers for one in server.block if one.name == "listen"]
    headers = _innermost("real_ip_header", scopes) or [_DEFAULT_HEADER]
    networks = _networks(_innermost("set_real_ip_from", scopes))
    if networks is None or _PROTOCOL in headers or any(_PROTOCOL in one for one in listens):
        return None
    addresses = [one[0] for one in listens] or [str(_DEFAULT_PORT)]
    ports = listening_ports(addresses, _DEFAULT_PORT)
    return TrustedProxies(networks, tuple(headers), ports) if ports else None


def _innermost(name: str, scopes: Sequence[Sequence[NginxDirective]]) -> list[str]:
    """Return the arguments of the innermost directives of a name, of blocks from the outermost."""
    for scope in reversed(scopes):
        if said := [one.words[-1] for one in scope if one.name == name]:
            return said
    return []


def _networks(said: Iterable[str]) -> tuple[Network, ...] | None:
    """Return the networks in arguments of set_real_ip_from; None where one is a name."""
    try:
        return tuple(ip_network(one, strict=False) for one in said if one != "unix:")
    except ValueError:
        return None
