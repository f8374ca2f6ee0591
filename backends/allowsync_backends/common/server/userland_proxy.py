"""Whether a server in a container trusts headers of clients behind Docker's own proxy.

Docker forwards to published ports by address translation, which keeps a client's address. For IPv6,
where the container's network has none, each connection ends at a process of Docker's, and a new one
arrives from the gateway of that network (docs.docker.com, "Packet filtering").
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.target import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import TrustedProxies
    from allowsync.model.types import Address

TEMPLATE: Final = (
    '{"ports": {{json .HostConfig.PortBindings}}, "networks": {{json .NetworkSettings.Networks}}}'
)


def gateways(inspected: str) -> tuple[Address, ...]:
    """Return the source addresses of clients behind Docker's proxy; none where it serves none.

    Args:
        inspected: The output of an inspection of the container by `TEMPLATE`.
    """
    try:
        said = json.loads(inspected)
    except ValueError:
        return ()
    bound = [one for several in _values(said, "ports") for one in several or ()]
    if not any(":" in one["HostIp"] or not one["HostIp"] for one in bound):
        return ()
    networks = [one for one in _values(said, "networks") if not one.get("GlobalIPv6Address")]
    return tuple(ip_address(one["Gateway"]) for one in networks if one.get("Gateway"))


def about_gateways(inspected: str, proxies: TrustedProxies | None) -> Iterator[Finding]:
    """Report trusted headers of the gateway that Docker's proxy connects from."""
    for gateway in () if proxies is None else gateways(inspected):
        if proxies is not None and any(gateway in one for one in proxies.networks):
            what = (
                f"{', '.join(proxies.headers)} is believed of {gateway}, from where Docker's own "
                "proxy passes on every client of a published port by IPv6: such a client writes "
                "its address itself"
            )
            advice = (
                "publish the port on 0.0.0.0, give the network IPv6, or believe the address of "
                "the proxy's container alone"
            )
            yield Finding(Severity.WARNING, what, advice)


def _values(said: Any, key: str) -> list[Any]:
    """Return the values of an object in a document; none for null, as in the host's network."""
    found = said.get(key) if isinstance(said, dict) else None
    return list(found.values()) if isinstance(found, dict) else []
