"""Where a server listens, and what several places of it believe."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from allowsync_backends.common.server.listeners import everybody, listening_ports, together

from allowsync.model.target import TrustedProxies

NEAR, FAR = ip_network("10.0.0.0/8"), ip_network("192.0.2.0/24")


@pytest.mark.parametrize(
    ("address", "ports"),
    [
        ("443", 443),
        (":443", 443),
        ("*:8080", 8080),
        ("[::]:443", 443),
        ("192.0.2.1:443", 443),
        (":::443", 443),
        ("2001:db8::1:443", 443),
        ("::1:443", None),
        ("tcp4/0.0.0.0:443", 443),
        ("tcp6/[::]:443", 443),
        ("tcp/127.0.0.1:443", None),
        ("udp/:443", None),
        (":8000-8002", (8000, 8001, 8002)),
        ("192.0.2.1", 80),
        ("[2001:db8::1]", 80),
        ("server.example.org", 80),
        ("127.0.0.1:443", None),
        ("localhost:443", None),
        ("[::1]:443", None),
        ("unix:/run/x", None),
        ("unix//run/x", None),
        ("/run/x", None),
    ],
)
def test_the_ports_count_that_are_reached_from_elsewhere(
    address: str, ports: int | tuple[int, ...] | None
) -> None:
    expected = () if ports is None else (ports,) if isinstance(ports, int) else ports
    assert listening_ports([address], 80) == expected


def test_of_several_places_the_one_counts_that_believes_nothing() -> None:
    one = TrustedProxies((NEAR,), ("a",), (80,))
    other = TrustedProxies((NEAR, FAR), ("a", "b"), (80, 81))
    nothing = TrustedProxies((), ("c",), (82,))
    assert together([one, None, other], "x") == TrustedProxies(
        (NEAR, FAR), ("a", "b"), (80, 81), "x"
    )
    assert together([one, nothing, other], "x") == replace_advice(nothing)
    assert together([None], "x") is None


@pytest.mark.parametrize(
    ("networks", "wide"),
    [
        (["10.0.0.0/8", "2001:db8::/32", "172.16.0.0/12"], []),
        (["0.0.0.0/0"], ["0.0.0.0/0"]),
        (["0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1", "2000::/3"], ["0.0.0.0/0", "2000::/3"]),
    ],
)
def test_networks_that_strangers_come_from_are_joined(networks: list[str], wide: list[str]) -> None:
    assert list(map(str, everybody(map(ip_network, networks)))) == wide


def replace_advice(one: TrustedProxies) -> TrustedProxies:
    return TrustedProxies(one.networks, one.headers, one.ports, "x")
