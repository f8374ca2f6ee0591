"""Where a server listens, and which proxies it believes there. Pure."""

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
_ADDRESS: Final = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^\[\]]*):)?(?P<port>\d{1,5})")


def listening_port(address: str, default: int | None = None) -> int | None:
    """The port of an address to listen at: `443`, `*:443`, `[::]:443`, `192.0.2.1`, `:::443`.

    None where packets from elsewhere do not come: a Unix socket, the loopback interface.
    """
    if address.startswith(_NEAR) or "/" in address:
        return None
    match = _ADDRESS.fullmatch(address)
    return int(match["port"]) if match else default


def is_open(address: str) -> bool:
    """Whether strangers may connect where a server listens: not at a private address alone."""
    address = address.removeprefix("tcp/")
    if address.startswith(_NEAR) or "/" in address:
        return False
    try:
        host = ip_address(address.rpartition(":")[0].strip("[]") or address)
    except ValueError:
        return True
    return host.is_unspecified or host.is_global


def everybody(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Those of some networks, joined, that are so wide that strangers come from them."""
    return tuple(one for one in joined(networks) if one.prefixlen <= _WIDEST)


def joined(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The same addresses in as few networks as possible."""
    several = tuple(networks)
    return (
        *collapse_addresses(one for one in several if isinstance(one, IPv4Network)),
        *collapse_addresses(one for one in several if isinstance(one, IPv6Network)),
    )


def together(found: Iterable[TrustedProxies | None], advice: str) -> TrustedProxies | None:
    """What places of one server believe: where one believes nothing, that place alone.

    None where nothing is known of any.
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
