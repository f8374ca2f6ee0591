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
from allowsync.backend.declared import front_of, guard_of, proxies_of, sources_of, with_networks_of
from allowsync.backend.driver import Driver
from allowsync.config.settings import Target
from allowsync.model.target import Placement
from allowsync.model.value import replace

RIGHT = Front("cdn", (443,))
PROXIES = TrustedProxies((ip_network("192.0.2.0/24"),), ("X-Real-IP",), (443,), "believe it")


class Fronting:
    """Options of a target at a CDN."""

    def __init__(self, given: object) -> None:
        self.given = given

    def front(self) -> object:
        return told(self.given)


class Naming:
    """Options of a target that goes by networks of a source."""

    def __init__(self, named: object, networks: object = None) -> None:
        self.named = named
        self.networks = networks

    @property
    def sources(self) -> object:
        return told(self.named)

    def with_networks(self, published: object) -> object:
        return Naming((), published) if self.networks is None else told(self.networks)


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
    assert sources_of(kind(), object()) == ()


def test_sources_are_named_and_their_networks_taken() -> None:
    naming = replace(kind(), options=Naming)
    published = {"cdn": (ip_network("192.0.2.0/24"),)}
    assert sources_of(naming, Naming(("cdn",))) == ("cdn",)
    assert with_networks_of(naming, Naming(("cdn",)), published).networks == published


@pytest.mark.parametrize("given", [None, ["cdn"], (7,), SystemExit(0), RuntimeError("no")])
def test_odd_sources_are_an_error_of_the_backend(given: object) -> None:
    with pytest.raises(BackendError, match="backend x"):
        sources_of(kind(), Naming(given))
    assert Target("web/x", "web", kind(), Naming(given)).sources == ()


@pytest.mark.parametrize("given", [7, Silent(), SystemExit(0), RuntimeError("no")])
def test_where_networks_cannot_be_taken_the_target_alone_is_broken(given: object) -> None:
    naming = replace(kind(), options=Naming)
    target = Target("web/x", "web", naming, Naming(("cdn",), given))
    assert not target.broken
    found = target.with_networks({"cdn": (ip_network("192.0.2.0/24"),)})
    assert "backend x" in found.broken
    assert "not known yet" in target.with_networks({"cdn": ()}).broken


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
