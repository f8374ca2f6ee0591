"""Listening addresses of a server, and its trusted proxies. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from typing import TYPE_CHECKING, Final

from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.target import TrustedProxies
    from allowsync.model.types import Network

_WIDEST: Final = 4  # bits: 268 million addresses of IPv4, or half of all IPv6 there is
_NEAR: Final = ("127.", "localhost", "[::1]", "::1:", "unix:")
_NETWORK: Final = re.compile(r"^tcp[46]?/")  # in Caddy's form
_ADDRESS: Final = re.compile(
    r"(?:(?P<host>\[[^\]]*\]|[^\[\]]*):)?(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?"
)


def listening_ports(addresses: Iterable[str], default: int | None = None) -> tuple[int, ...]:
    """Return the ports of listening addresses that are reachable from other hosts.

    `443`, `*:443`, `[::]:443`, `:::443`, `tcp4/0.0.0.0:443`, `:8000-8010`; `192.0.2.1` has the
    default port. A Unix socket or the loopback interface is not reachable.
    """
    return tuple(port for one in addresses for port in _ports(one, default))


def _ports(address: str, default: int | None) -> Iterable[int]:
    address = _NETWORK.sub("", address)
    if address.startswith(_NEAR) or "/" in address:
        return ()
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return () if default is None else (default,)
    return range(int(match["first"]), int(match["last"] or match["first"]) + 1)


def is_open(address: str) -> bool:
    """Whether strangers may connect to a listening address: not a private address alone."""
    address = _NETWORK.sub("", address)
    if address.startswith(_NEAR) or "/" in address:
        return False
    try:
        host = ip_address(address.rpartition(":")[0].strip("[]") or address)
    except ValueError:
        return True
    return host.is_unspecified or host.is_global


def everybody(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return those of some networks, joined, that are wide enough to include strangers."""
    return tuple(one for one in joined(networks) if one.prefixlen <= _WIDEST)


def joined(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return the same addresses in as few networks as possible."""
    several = tuple(networks)
    return (
        *collapse_addresses(one for one in several if isinstance(one, IPv4Network)),
        *collapse_addresses(one for one in several if isinstance(one, IPv6Network)),
    )


def together(found: Iterable[TrustedProxies | None], advice: str) -> TrustedProxies | None:
    """Merge the trusted proxies of a server's places: of a place that trusts none, that alone.

    None where all places are unknown.
    """
    known = [one for one in found if one is not None]
    if not known:
        return None
    shown = [one for one in known if not one.networks] or known
    return replace(
        shown[0],
        networks=tuple(dict.fromkeys(network for one in shown for network in one.networks)),
        headers=tuple(dict.fromkeys(header for one in shown for header in one.headers)),
        ports=tuple(dict.fromkeys(port for one in shown for port in one.ports)),
        advice=advice,
    )
