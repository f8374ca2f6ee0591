"""What targets say of themselves for `check` and `explain`: what they guard, and what is in front.

No run asks for it. Every question is contained, and what comes back is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.containment import contained
from allowsync.backend.driver import NETWORKS, demand, demand_all
from allowsync.model.target import Front, Guard, PortRange, TrustedProxies

if TYPE_CHECKING:
    from allowsync.backend.api import AnyBackendType
    from allowsync.backend.driver import Driver


def guard_of(kind: AnyBackendType, options: object) -> Guard | None:
    """What a target guards in this machine's packet filter; None where it does not.

    Raises:
        BackendError: That could not be found out.
    """
    return contained(kind.name, lambda: kind.guards(options), _checked_guard, at=kind.guards)


def front_of(kind: AnyBackendType, options: object) -> Front | None:
    """The network in front of machines that options have, by a method `front`; None without one.

    Raises:
        BackendError: That could not be found out.
    """
    method = getattr(type(options), "front", None)
    if method is None:
        return None
    return contained(kind.name, lambda: method(options), _checked_front, at=method)


def proxies_of(driver: Driver) -> TrustedProxies | None:
    """Which proxies a server believes; None where its backend does not say.

    Raises:
        BackendError: That could not be found out.
    """
    return driver.offered("trusted_proxies", _checked_proxies)


def _checked_guard(given: object) -> Guard | None:
    if given is None:
        return None
    demand(given, Guard, "guards()")
    assert isinstance(given, Guard)  # noqa: S101 - demanded above
    demand_all(given.ports, tuple, PortRange, "guards().ports")
    demand_all(given.open_interfaces, tuple, str, "guards().open_interfaces")
    demand(given.forwarded, bool, "guards().forwarded")
    demand(given.adds_up, bool, "guards().adds_up")
    return given


def _checked_front(given: object) -> Front:
    demand(given, Front, "front()")
    assert isinstance(given, Front)  # noqa: S101 - demanded above
    demand(given.source, str, "front().source")
    demand_all(given.ports, tuple, int, "front().ports")
    return given


def _checked_proxies(given: object) -> TrustedProxies:
    demand(given, TrustedProxies, "trusted_proxies()")
    assert isinstance(given, TrustedProxies)  # noqa: S101 - demanded above
    demand_all(given.networks, tuple, NETWORKS, "trusted_proxies().networks")
    demand_all(given.headers, tuple, str, "trusted_proxies().headers")
    demand_all(given.ports, tuple, int, "trusted_proxies().ports")
    demand(given.advice, str, "trusted_proxies().advice")
    return given
