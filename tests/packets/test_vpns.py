"""Strangers do not come in by a VPN that the machine goes out by, default route or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from tests.support.gates import allow, gate, port
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.netns import Namespace
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

PORT: Final = 8096
FRIEND, FRIEND6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
FRIENDS: Final = tuple(
    Entry(net(one), (name,)) for one, name in ((FRIEND, "alice"), (FRIEND6, "bob"))
)
EVERYTHING: Final = """table inet vpn { chain input { type filter hook input priority -5;
 iifname "vpn0" ip6 saddr ::/0 accept
 iifname "vpn0" accept
}
}"""
TUN: Final = ("tuntap add dev vpn0 mode tun", "link set vpn0 up")
# Answers leave by the interface that was asked at, as who serves beside a VPN has to set.
ANSWERS: Final = (
    "route add default via 193.99.1.1 dev eth0 table 100",
    "rule add pref 100 from 193.99.1.80 lookup 100",
)
# As wg-quick, a Tailscale exit node, and OpenVPN set routes.
WG_QUICK: Final = (
    *TUN,
    "address add 10.99.0.2/32 dev vpn0",
    "route add default dev vpn0 table 51820",
    "rule add not fwmark 51820 table 51820",
    "rule add table main suppress_prefixlength 0",
)
TAILSCALE: Final = (
    *TUN,
    "address add 100.101.102.103/32 dev vpn0",
    "address add fd7a:115c:a1e0::1/128 dev vpn0 nodad",
    "route add default dev vpn0 table 52",
    "rule add pref 5210 fwmark 0x80000/0xff0000 lookup main",
    "rule add pref 5270 lookup 52",
)
OPENVPN: Final = (
    *TUN,
    "address add 10.8.0.2/24 dev vpn0",
    "route add 0.0.0.0/1 via 10.8.0.1 dev vpn0",
    "route add 128.0.0.0/1 via 10.8.0.1 dev vpn0",
)
# A tunnel from a server with a public address, which sends strangers on: answers alone leave by it.
WAY_IN: Final = (
    *TUN,
    "address add 10.99.0.2/24 dev vpn0",
    "route add default dev vpn0 table 200",
    "rule add from 10.99.0.2 lookup 200",
)
# IPv4 that a translator makes of IPv6: clatd's tunnel, and an address of the uplink itself.
WITHOUT_IPV4: Final = ("address del 193.99.1.80/24 dev eth0",)
CLATD: Final = (
    *WITHOUT_IPV4,
    "tuntap add dev clat mode tun",
    "address add 192.0.0.1/32 dev clat",
    "link set clat up",
    "route add default dev clat mtu 1260",
)
BY_THE_UPLINK: Final = (
    *WITHOUT_IPV4,
    "address add 192.0.0.5/32 dev eth0",
    "route add default dev eth0",
)
CLOSED: Final = """table inet closed { chain input { type filter hook input priority 5; policy drop;
 meta nfproto ipv6 accept
}
}"""


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink, and a gate beside rules that take all from a VPN."""
    with Namespace() as namespace:
        with_uplink(namespace)
        allow(
            namespace,
            gate(ports=(port(PORT, Protocol.TCP),), interfaces=("lo", "vpn0")),
            FRIEND,
            FRIEND6,
        )
        namespace.nft(EVERYTHING)
        yield namespace


def whats(inside: Namespace) -> dict[str, Severity]:
    """What is found, and how bad it is."""
    found = seen(inside, guard(PORT, interfaces=("lo", "vpn0")), FRIENDS)
    return {one.what: one.severity for one in found}


@pytest.mark.parametrize(
    "vpn", [WG_QUICK, TAILSCALE, OPENVPN], ids=["wg-quick", "tailscale", "openvpn"]
)
def test_a_rule_that_is_right_for_a_vpn_opens_nothing(
    inside: Namespace, vpn: tuple[str, ...]
) -> None:
    inside.batch(*vpn, *ANSWERS)
    ((what, severity),) = whats(inside).items()
    assert what.startswith("8096/tcp is open to clients that the other end of a VPN admits over")
    assert severity is Severity.INFO


def test_friends_whose_answers_leave_by_a_vpn_are_locked_out(inside: Namespace) -> None:
    inside.batch(*WG_QUICK)
    (what,) = (one for one, severity in whats(inside).items() if severity is Severity.ERROR)
    assert what.startswith(
        "alice (81.2.69.142) is locked out of 8096/tcp over IPv4 by eth0: routing"
    )
    assert "they leave by vpn0" in what


def test_a_tunnel_that_is_there_to_be_come_in_by_is_an_uplink(inside: Namespace) -> None:
    inside.batch(*WAY_IN)
    ((what, severity),) = whats(inside).items()
    assert what.startswith("8096/tcp is open to everyone over IPv4 by vpn0")
    assert severity is Severity.ERROR


@pytest.mark.parametrize("clat", [CLATD, BY_THE_UPLINK], ids=["clatd", "the uplink itself"])
def test_nothing_comes_in_by_the_ipv4_that_a_translator_makes_of_ipv6(
    inside: Namespace, clat: tuple[str, ...]
) -> None:
    """Hosts are not locked out there by rules, nor does a missing rule let strangers in."""
    inside.batch(*clat)
    inside.nft(CLOSED)
    assert whats(inside) == {}
    inside.command("nft", "flush", "ruleset")
    (what,) = whats(inside)
    assert what.startswith("8096/tcp is open to everyone over IPv6 by eth0")
