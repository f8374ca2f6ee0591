"""What a template sees, and the filters that are made for networks."""

from __future__ import annotations

import pytest
from allowsync_backends.file import template_view as view
from allowsync_backends.file.template_view import Guest, guests

LINES = [
    ("198.51.100.20/32", ["alice"], ["alice"]),
    ("203.0.113.7/32", ["alice", "bob"], []),
    ("203.0.113.0/24", ["office"], []),
    ("2001:db8:7::/64", ["alice"], []),
    ("192.0.2.1/32", [], []),
]


def test_each_host_has_its_networks_those_that_were_replaced_last() -> None:
    alice, bob, office = guests(LINES)
    assert alice == Guest(
        "alice",
        ("203.0.113.7/32", "2001:db8:7::/64", "198.51.100.20/32"),
        ("198.51.100.20/32",),
    )
    assert (bob.name, bob.networks, bob.replaced) == ("bob", ("203.0.113.7/32",), ())
    assert (office.networks, office.addresses) == (("203.0.113.0/24",), ())


def test_a_host_tells_its_networks_by_family_and_its_single_addresses() -> None:
    alice = guests(LINES)["alice"]
    assert alice.ipv4 == ("203.0.113.7/32", "198.51.100.20/32")
    assert alice.ipv6 == ("2001:db8:7::/64",)
    assert alice.addresses == ("203.0.113.7", "198.51.100.20")
    assert str(alice) == "alice"


def test_hosts_are_sorted_counted_and_found_by_their_names() -> None:
    some = guests(LINES)
    assert [one.name for one in some] == ["alice", "bob", "office"]
    assert (len(some), "bob" in some, "carol" in some) == (3, True, False)
    with pytest.raises(KeyError):
        some["carol"]


def test_to_try_a_template_everybody_is_there() -> None:
    some = guests(LINES, everybody=True)
    assert "carol" in some
    assert some["carol"] == Guest("carol", view.SAMPLE)
    assert some["bob"].networks == ("203.0.113.7/32",)
    assert len(some) == 3


def test_families_are_told_apart_among_networks_and_addresses() -> None:
    several = ("203.0.113.0/24", "2001:db8::1", "203.0.113.7")
    assert view.only(4, several) == ("203.0.113.0/24", "203.0.113.7")
    assert view.only(6, several) == ("2001:db8::1",)


@pytest.mark.parametrize(
    ("network", "address", "bracketed"),
    [
        ("203.0.113.7/32", "203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("2001:db8::1/128", "2001:db8::1", "[2001:db8::1]"),
        ("2001:db8::1", "2001:db8::1", "[2001:db8::1]"),
    ],
)
def test_a_network_of_one_address_is_that_address(
    network: str, address: str, bracketed: str
) -> None:
    assert view.address(network) == address
    assert view.bracketed(network) == bracketed


@pytest.mark.parametrize("network", ["203.0.113.0/24", "2001:db8::/64", "203.0.113.6/31"])
def test_a_wider_network_is_no_address(network: str) -> None:
    with pytest.raises(ValueError, match="is no single address"):
        view.address(network)
    with pytest.raises(ValueError, match="is no single address"):
        view.bracketed(network)


@pytest.mark.parametrize(
    ("network", "parts"),
    [
        ("203.0.113.0/24", ("203.0.113.0", 24, "255.255.255.0", "0.0.0.255")),
        ("203.0.113.7", ("203.0.113.7", 32, "255.255.255.255", "0.0.0.0")),
        ("2001:db8::/127", ("2001:db8::", 127, "ffff:" * 7 + "fffe", "::1")),
    ],
)
def test_the_parts_of_a_network(network: str, parts: tuple[object, ...]) -> None:
    made = (view.base(network), view.prefixlen(network), view.netmask(network))
    assert (*made, view.hostmask(network)) == parts
