"""Declarations of targets: guarded ports, networks in front, named sources.

A run uses only the sources. Every call is contained, and its result is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.backend.containment import contained, demand, demand_all
from allowsync.backend.driver import NETWORKS
from allowsync.model.target import Front, Guard, PortRange, TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.backend.api import AnyBackendType
    from allowsync.backend.driver import Driver
    from allowsync.model.types import Network


def guard_of(kind: AnyBackendType, options: object) -> Guard | None:
    """The ports a target guards in this machine's packet filter; None if it guards none.

    Raises:
        BackendError: They could not be found out.
    """
    return contained(kind.name, lambda: kind.guards(options), _checked_guard, at=kind.guards)


def front_of(kind: AnyBackendType, options: object) -> Front | None:
    """The network in front of machines that options declare by a method `front`, or None.

    Raises:
        BackendError: It could not be found out.
    """
    method = getattr(type(options), "front", None)
    if method is None:
        return None
    return contained(kind.name, lambda: method(options), _checked_front, at=method)


def proxies_of(driver: Driver) -> TrustedProxies | None:
    """The proxies that a server trusts; None if its backend does not report them.

    Raises:
        BackendError: They could not be found out.
    """
    return driver.offered("trusted_proxies", _checked_proxies)


def sources_of(kind: AnyBackendType, options: object) -> tuple[str, ...]:
    """The sources of networks that options name by a property `sources`; empty without one.

    Raises:
        BackendError: They could not be found out.
    """
    named = getattr(type(options), "sources", None)
    if named is None:
        return ()
    return contained(kind.name, lambda: getattr(options, "sources"), _checked_sources, at=named)  # noqa: B009


def with_networks_of(
    kind: AnyBackendType, options: Any, published: Mapping[str, tuple[Network, ...]]
) -> Any:
    """Options with their sources replaced by networks, by the method `with_networks`.

    Raises:
        BackendError: They could not be made.
    """
    method = type(options).with_networks

    def checked(given: object) -> object:
        demand(given, kind.options, "with_networks()")
        return given

    return contained(kind.name, lambda: method(options, published), checked, at=method)


def _checked_sources(given: object) -> tuple[str, ...]:
    demand_all(given, tuple, str, "sources")
    assert isinstance(given, tuple)  # noqa: S101 - demanded above
    return given


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
