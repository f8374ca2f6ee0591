"""Hosts in a LAN or a VPN of the machine come by the interface there, and by no uplink."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.model.types import Entry
from allowsync.packetpath import Question, ask
from tests.support.gates import allow, gate, port
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.netns import Namespace
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

PORT: Final = 8096
LAN: Final = (
    "link add eth1 type veth peer name lan",
    "address add 192.168.7.1/24 dev eth1",
    "address add fd00:7::1/64 dev eth1 nodad",
    "link set eth1 up",
    "link set lan up",
)
VPN: Final = ("tuntap add dev wg0 mode tun", "link set wg0 up", "address add 10.8.0.1/24 dev wg0")
# Tailscale's routes, in a table of their own.
TAILSCALE: Final = (
    "tuntap add dev tailscale0 mode tun",
    "link set tailscale0 up",
    "address add 100.101.102.103/32 dev tailscale0",
    "route add 100.64.0.0/10 dev tailscale0 table 52",
    "rule add pref 5210 fwmark 0x80000/0xff0000 lookup main",
    "rule add pref 5270 lookup 52",
)
# What nothing from the internet may have as its source, as many a firewall drops it.
BOGONS: Final = """table inet bogons {
 chain prerouting {
  type filter hook prerouting priority -300
  iifname "eth0" ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 } drop
  iifname "eth0" ip6 saddr fc00::/7 drop
 }
}"""
TS_INPUT: Final = """table ip filter {
 chain ts-input {
  iifname != "tailscale0" ip saddr 100.64.0.0/10 drop
  iifname "tailscale0" accept
 }
 chain input {
  type filter hook input priority 0
  jump ts-input
 }
}"""
SHUT: Final = """table inet shut {
 chain input {
  type filter hook input priority 5
  iifname { "eth1", "wg0" } tcp dport 8096 drop
 }
}"""
# A second provider, whose router has a LAN of its own.
SECOND: Final = (
    "link add eth2 type veth peer name modem",
    "address add 192.168.8.10/24 dev eth2",
    "link set eth2 up",
    "link set modem up",
    "route add default via 192.168.8.1 dev eth2 metric 50",
)
INSIDE: Final = {
    "a host of the LAN at a second uplink": (SECOND, BOGONS, "192.168.8.5/32"),
    "a host of the LAN": (LAN, BOGONS, "192.168.7.5/32"),
    "the LAN, of which the machine has the first address": (LAN, BOGONS, "192.168.7.0/24"),
    "the LAN over IPv6": (LAN, BOGONS, "fd00:7::/64"),
    "a LAN with public addresses": (
        (*LAN, "address add 2a02:2e0:99::1/64 dev eth1 nodad"),
        BOGONS,
        "2a02:2e0:99::/64",
    ),
    "a host of the LAN, and no rules": (LAN, "", "192.168.7.5/32"),
    "a peer of a VPN": (VPN, BOGONS, "10.8.0.2/32"),
    "a peer by Tailscale": (TAILSCALE, TS_INPUT, "100.101.1.2/32"),
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A machine with an uplink that has public addresses."""
    with Namespace() as namespace:
        with_uplink(namespace)
        yield namespace


def found(inside: Namespace, network: str) -> list[str]:
    """What is found of a gate that lets in one host."""
    allow(inside, gate(ports=(port(PORT, Protocol.TCP),)), network)
    return [one.what for one in seen(inside, guard(PORT), (Entry(net(network), ("alice",)),))]


@pytest.mark.parametrize(("links", "rules", "network"), INSIDE.values(), ids=INSIDE)
def test_a_host_inside_is_not_locked_out_by_rules_of_the_uplink(
    inside: Namespace, links: tuple[str, ...], rules: str, network: str
) -> None:
    inside.batch(*links)
    inside.nft(rules)
    assert found(inside, network) == []


@pytest.mark.parametrize(
    ("links", "network", "interface"),
    [(LAN, "192.168.7.5/32", "eth1"), (VPN, "10.8.0.2/32", "wg0")],
)
def test_a_host_inside_is_locked_out_by_rules_of_its_interface(
    inside: Namespace, links: tuple[str, ...], network: str, interface: str
) -> None:
    inside.batch(*links)
    inside.nft(SHUT)
    (what,) = found(inside, network)
    assert what.startswith(f"alice ({network.removesuffix('/32')}) is locked out of 8096/tcp")
    assert f"by {interface}: inet shut input: " in what


def test_a_public_network_that_is_routed_inside_is_asked_about_at_the_uplink(
    inside: Namespace,
) -> None:
    inside.batch(*LAN, "route add 81.2.69.0/24 dev eth1")
    (what,) = found(inside, "81.2.69.142/32")
    assert "is locked out of 8096/tcp over IPv4 by eth0: routing: they leave by eth1" in what


def test_who_cannot_come_is_unknown(inside: Namespace) -> None:
    inside.nft(BOGONS)
    (what,) = found(inside, "10.0.0.0/8")
    assert what.startswith("whether hosts get in and others do not is unknown: ")
    assert "the internet has no way from there, and no other interface leads there" in what


@pytest.mark.parametrize("network", ["193.99.1.80/32", "2a02:2e0:1::80/128", "127.0.0.0/8"])
def test_the_machine_itself_is_not_locked_out(inside: Namespace, network: str) -> None:
    inside.nft(BOGONS)
    assert found(inside, network) == []


def test_without_a_default_route_none_from_afar_are_asked_about(as_root: None) -> None:
    with Namespace() as alone:
        alone.batch(*LAN)
        alone.nft(SHUT)
        locked, unasked = found(alone, "192.168.7.5/32")
        assert "is locked out of 8096/tcp over IPv4 by eth1" in locked
        assert "packets from afar, as no interface has a default route" in unasked


def test_where_a_question_names_an_interface_it_is_asked_there(inside: Namespace) -> None:
    inside.batch(*LAN)
    asked = [Question(ip_address("192.168.7.5"), "tcp", PORT, one) for one in ("", "eth0")]
    answers = inside.run(ask, asked).answers
    assert [one.question.interface for one in answers] == ["eth1", "eth0"]
