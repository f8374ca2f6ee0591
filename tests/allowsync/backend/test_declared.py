"""What targets say of themselves is checked, and a backend that breaks over it fails alone."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from allowsync.backend import (
    API,
    BackendError,
    BackendType,
    Front,
    Guard,
    PortRange,
    TrustedProxies,
)
from allowsync.backend.declared import front_of, guard_of, proxies_of
from allowsync.backend.driver import Driver
from allowsync.model.target import Placement

RIGHT = Front("cdn", (443,))
PROXIES = TrustedProxies((ip_network("192.0.2.0/24"),), ("X-Real-IP",), (443,), "believe it")


class Fronting:
    """Options of a target at a CDN."""

    def __init__(self, given: object) -> None:
        self.given = given

    def front(self) -> object:
        return told(self.given)


class Silent:
    """A backend that has nothing but what every backend has."""

    def check(self) -> None: ...
    def read(self) -> None: ...
    def apply(self, plan: object) -> None: ...
    def clear(self) -> None: ...


class Telling(Silent):
    """One that tells something of proxies."""

    def __init__(self, given: object) -> None:
        self.given = given

    def trusted_proxies(self) -> object:
        return told(self.given)


def told(given: object) -> object:
    if isinstance(given, BaseException):
        raise given
    return given


def kind(**more: Any) -> BackendType[Any]:
    return BackendType("x", "X", object, lambda _, options: options, api=API, **more)


def driver(backend: object) -> Driver:
    return Driver(kind(), Placement("web", "web/x"), backend)


def test_what_is_right_is_given() -> None:
    guard = Guard((PortRange(443, 443, "tcp"),))
    assert guard_of(kind(guards=lambda _: guard), None) == guard
    assert front_of(kind(), Fronting(RIGHT)) == RIGHT
    assert proxies_of(driver(Telling(PROXIES))) == PROXIES


def test_what_says_nothing_is_nothing() -> None:
    assert guard_of(kind(), None) is None
    assert front_of(kind(), object()) is None
    assert proxies_of(driver(Silent())) is None
    assert proxies_of(driver(Telling(None))) is None


ODD = [None, 7, Front(7, ()), Front("cdn", ("443",)), Front("cdn", [443])]  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [*ODD, SystemExit(0), KeyboardInterrupt(), RuntimeError("no")])
def test_an_odd_front_is_an_error_of_the_backend(given: object) -> None:
    with pytest.raises(BackendError, match="backend x"):
        front_of(kind(), Fronting(given))


@pytest.mark.parametrize(
    "given",
    [
        7,
        TrustedProxies(("192.0.2.0/24",)),  # type: ignore[arg-type]
        TrustedProxies(headers=("a", 7)),  # type: ignore[arg-type]
        TrustedProxies(ports=("443",)),  # type: ignore[arg-type]
        TrustedProxies(advice=7),  # type: ignore[arg-type]
        SystemExit(0),
    ],
)
def test_odd_proxies_are_an_error_of_the_backend(given: object) -> None:
    with pytest.raises(BackendError, match="backend x"):
        proxies_of(driver(Telling(given)))


@pytest.mark.parametrize("given", [7, Guard(("443",)), RuntimeError("no")])  # type: ignore[arg-type]
def test_an_odd_guard_is_an_error_of_the_backend(given: object) -> None:
    with pytest.raises(BackendError, match="backend x"):
        guard_of(kind(guards=lambda _: told(given)), None)
