"""Hosts whose packets get in and whose answers do not come back are locked out."""

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
OUTPUT: Final = (
    "nft add table {0} o; nft add chain {0} o o '{{ type filter hook output priority 0; }}'"
)
MARKED: Final = """nft add table ip6 m
nft add chain ip6 m o '{ type route hook output priority mangle; }'
nft add rule ip6 m o tcp sport 8096 meta mark set 9
ip -6 rule add fwmark 9 blackhole"""
# What is done and undone, and what is said of whose answers.
DEEDS: Final = {
    ("ip route add unreachable 81.2.0.0/16", "ip route del unreachable 81.2.0.0/16"): {
        "alice": "routing: route unreachable to 81.2.69.142"
    },
    ("ip -6 route add prohibit 2a02:8109::/32", "ip -6 route del prohibit 2a02:8109::/32"): {
        "bob": "routing: route prohibit to 2a02:8109:9a40::a"
    },
    (
        "ip route add blackhole 81.2.69.142; ip -6 route add blackhole 2a02:8109:9a40::/48",
        "ip route del blackhole 81.2.69.142; ip -6 route del blackhole 2a02:8109:9a40::/48",
    ): {
        "alice": "routing: route blackhole to 81.2.69.142",
        "bob": "routing: route blackhole to 2a02:8109:9a40::a",
    },
    (
        "ip rule add to 81.2.69.0/24 prohibit; ip route add blackhole 81.3.0.0/16",
        "ip rule del to 81.2.69.0/24 prohibit; ip route del blackhole 81.3.0.0/16",
    ): {"alice": "routing: route prohibit to 81.2.69.142"},
    (
        f"{OUTPUT.format('ip')}; nft add rule ip o o ip daddr 81.2.69.142 drop",
        "nft delete table ip o",
    ): {"alice": "ip o o: ip daddr 81.2.69.142 drop"},
    (
        "iptables-legacy -A OUTPUT -d 81.2.69.142 -p tcp -j DROP",
        "iptables-legacy -F OUTPUT",
    ): {"alice": "iptables-legacy filter OUTPUT: -d 81.2.69.142/32 -p tcp -j DROP"},
    (
        "ip rule add ipproto tcp sport 8096 to 81.2.69.0/24 prohibit",
        "ip rule del ipproto tcp sport 8096 to 81.2.69.0/24 prohibit",
    ): {"alice": "routing: route prohibit to 81.2.69.142"},
    (
        MARKED,
        "nft delete table ip6 m; ip -6 rule del fwmark 9 blackhole",
    ): {"bob": "routing: route blackhole to 2a02:8109:9a40::a"},
    (
        "ip rule add to 81.2.69.0/24 unreachable",
        "ip rule del to 81.2.69.0/24 unreachable",
    ): {"alice": "routing: no route to 81.2.69.142"},
    # A machine that is not connected by a family has an address of it all the same.
    (
        "ip -6 route del default; ip -6 route add fd00::/8 dev eth0",
        "ip -6 route add default via 2a02:2e0:1::1 dev eth0",
    ): {"bob": "kernel: no route"},
    # No router passes on what has a TTL of 1.
    (
        "echo 1 >/proc/sys/net/ipv4/ip_default_ttl",
        "echo 64 >/proc/sys/net/ipv4/ip_default_ttl",
    ): {"alice": "their TTL: they leave with 1"},
    (
        "echo 1 >/proc/sys/net/ipv6/conf/eth0/hop_limit",
        "echo 64 >/proc/sys/net/ipv6/conf/eth0/hop_limit",
    ): {"bob": "their TTL: they leave with 1"},
    (
        "ip6tables-legacy -t mangle -A POSTROUTING -p tcp -j HL --hl-set 1",
        "ip6tables-legacy -t mangle -F",
    ): {"bob": "their TTL: they leave with 1"},
    (
        f"{OUTPUT.format('ip')}; nft add rule ip o o ip ttl set 2",
        "nft delete table ip o",
    ): {},
    (
        f"{OUTPUT.format('ip6')}; nft add rule ip6 o o udp sport 8096 drop",
        "nft delete table ip6 o",
    ): {},
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink and a gate that lets the friends in."""
    with Namespace() as namespace:
        with_uplink(namespace)
        allow(namespace, gate(ports=(port(PORT, Protocol.TCP),)), FRIEND, FRIEND6)
        yield namespace


@pytest.mark.parametrize("filtered", ["0", "1"], ids=["rp_filter=0", "rp_filter=1"])
def test_who_cannot_be_answered_is_locked_out(inside: Namespace, filtered: str) -> None:
    for name in ("all", "eth0"):
        inside.sysctl(f"net/ipv4/conf/{name}/rp_filter", filtered)
    for (done, undone), said in DEEDS.items():
        inside.command("sh", "-ec", done)
        found = seen(inside, guard(PORT), FRIENDS)
        inside.command("sh", "-ec", undone)
        severity = Severity.INFO if "route del default" in done else Severity.ERROR
        assert {one.severity for one in found} <= {severity}, found
        assert len(found) == len(said), (done, found)
        for (name, why), one in zip(said.items(), found, strict=True):
            assert one.what.startswith(f"{name} ("), done
            assert " is locked out of 8096/tcp over IPv" in one.what
            if severity is Severity.ERROR:
                assert why in one.what, done
                assert one.advice.startswith("let its replies leave: "), done


@pytest.mark.parametrize(
    ("filtered", "why", "advice"),
    [
        (1, "IPReversePathFilter", "route answers by eth0, or set rp_filter of eth0 to 2 (loose)"),
        (2, "routing: they leave by lan0", "let its replies leave: "),
    ],
)
def test_who_has_a_route_by_another_interface_is_locked_out(
    inside: Namespace, filtered: int, why: str, advice: str
) -> None:
    inside.command("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    inside.batch(
        "address add 10.9.0.1/24 dev lan0",
        "link set lan0 up",
        "link set lan1 up",
        "route add 81.2.69.0/24 via 10.9.0.2",
    )
    inside.sysctl("net/ipv4/conf/eth0/rp_filter", str(filtered))
    (found,) = seen(inside, guard(PORT), FRIENDS)
    assert found.severity is Severity.ERROR
    assert found.what.startswith("alice (81.2.69.142) is locked out of 8096/tcp over IPv4 by eth0")
    assert why in found.what
    assert found.advice.startswith(advice)


@pytest.mark.parametrize("route_localnet", [0, 1])
def test_who_is_sent_to_loopback_is_locked_out(inside: Namespace, route_localnet: int) -> None:
    inside.sysctl("net/ipv4/conf/eth0/route_localnet", str(route_localnet))
    inside.nft(
        f"""table ip n {{ chain p {{ type nat hook prerouting priority dstnat;
        tcp dport {PORT} dnat to 127.0.0.1; }}; }}"""
    )
    found = [one for one in seen(inside, guard(PORT), FRIENDS) if "locked out" in one.what]
    if route_localnet:
        assert found == []
        return
    (one,) = found
    assert one.severity is Severity.ERROR
    assert one.what.startswith("alice (81.2.69.142) is locked out of 8096/tcp over IPv4 by eth0")
    assert one.what.endswith(": kernel: MartianDestination")
    assert one.advice.startswith("translate to an address of an interface")
