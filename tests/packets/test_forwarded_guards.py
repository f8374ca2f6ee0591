"""What UFW's rules for forwarded traffic guard, asked of packets, beside Docker's chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.model.target import Guard, PortRange, Severity
from allowsync.model.types import Entry
from tests.support import ufw
from tests.support.gates import allow, port
from tests.support.met_packets import seen, with_uplink
from tests.support.netns import Namespace
from tests.support.published import publish, with_container, with_published
from tests.support.terminal import eventually
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import Finding

pytestmark = pytest.mark.root

PUBLISHED, INNER = 9000, 8096
FRIEND, FRIEND6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
FRIENDS: Final = (Entry(net(FRIEND), ("alice",)), Entry(net(FRIEND6), ("bob",)))

# As ufw-docker's after.rules have it: what is no answer goes by UFW's rules or is dropped.
FIRST_UFW: Final = """*filter
:DOCKER-USER - [0:0]
-A DOCKER-USER -j {user}-forward
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -m conntrack --ctstate NEW -d {networks} -j DROP
-A DOCKER-USER -j RETURN
COMMIT
"""
IPV4: Final = FIRST_UFW.format(user="ufw-user", networks="172.16.0.0/12")
IPV6: Final = FIRST_UFW.format(user="ufw6-user", networks="fd00:d::/64")


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink and an enabled UFW."""
    with Namespace() as namespace:
        with_uplink(namespace)
        ufw.with_ufw(namespace)
        yield namespace


def route_for(inside: Namespace, number: int) -> None:
    """Let friends in by UFW's rules for what is forwarded to a port."""
    allow(inside, ufw.backend(ports=(port(number, Protocol.TCP),), route=True), FRIEND, FRIEND6)


def found(inside: Namespace, number: int) -> list[Finding]:
    """What packets show of such rules."""
    guard = Guard((PortRange(number, number, "tcp"),), forwarded=True)
    return seen(inside, guard, FRIENDS)


def with_docker(inside: Namespace) -> None:
    with_container(inside)
    publish(inside, PUBLISHED, INNER)


def test_docker_forwards_strangers_before_ufw_is_asked(inside: Namespace) -> None:
    with_docker(inside)
    route_for(inside, INNER)
    (one,) = found(inside, INNER)
    assert one.severity is Severity.ERROR
    assert one.what.startswith(
        "8096/tcp is open to everyone over IPv4 and IPv6 by eth0 at 9000/tcp, "
        "forwarded to 172.17.0.2 port 8096, fd00:d::2 port 8096: ip filter DOCKER: "
    )
    assert "DOCKER-USER" in one.advice


def test_rules_that_name_the_published_port_are_asked_at_it(inside: Namespace) -> None:
    with_docker(inside)
    route_for(inside, PUBLISHED)
    (one,) = found(inside, PUBLISHED)
    assert one.what.startswith("9000/tcp is open to everyone over IPv4 and IPv6 by eth0, forwarded")


def test_a_family_that_ufw_docker_does_not_know_is_open(inside: Namespace) -> None:
    inside.command("iptables-restore", "-n", stdin=IPV4)
    with_docker(inside)
    route_for(inside, INNER)
    (one,) = found(inside, INNER)
    assert one.what.startswith("8096/tcp is open to everyone over IPv6 by eth0 at 9000/tcp")
    inside.command("ip6tables-restore", "-n", stdin=IPV6)
    assert found(inside, INNER) == []


def test_the_chains_of_newer_dockers_are_met_in_their_order(inside: Namespace) -> None:
    with_published(inside, PUBLISHED, INNER)
    route_for(inside, INNER)
    (one,) = found(inside, INNER)
    assert one.what.startswith(
        "8096/tcp is open to everyone over IPv4 and IPv6 by eth0 at 9000/tcp, forwarded to"
    )
    inside.command("iptables-restore", "-n", stdin=IPV4)
    (one,) = found(inside, INNER)
    assert one.what.startswith("8096/tcp is open to everyone over IPv6 by eth0 at 9000/tcp")
    inside.command("ip6tables-restore", "-n", stdin=IPV6)
    assert found(inside, INNER) == []
    inside.command("sh", "-c", "iptables -I DOCKER-USER -s 81.2.0.0/16 -j DROP")
    (one,) = found(inside, INNER)
    assert one.what.startswith("alice (81.2.69.142) is locked out of 8096/tcp over IPv4")


def test_friends_let_in_by_the_published_port_are_locked_out(inside: Namespace) -> None:
    for tool, rules in (("iptables", IPV4), ("ip6tables", IPV6)):
        inside.command(f"{tool}-restore", "-n", stdin=rules)
    with_docker(inside)
    route_for(inside, PUBLISHED)
    locked = found(inside, PUBLISHED)
    assert [one.what.partition(" over")[0] for one in locked] == [
        "alice (81.2.69.142) is locked out of 9000/tcp",
        "bob (2a02:8109:9a40::/64) is locked out of 9000/tcp",
    ]
    assert all("forwarded to" in one.what for one in locked)
    assert {one.advice.partition(":")[0] for one in locked} == {"guard 8096/tcp"}


# What was done to UFW by hand, and what packets show of it.
BY_HAND: Final = {
    "ufw default allow routed": "8096/tcp is open to everyone over IPv4 and IPv6",
    "ufw route allow 8096/tcp": "8096/tcp is open to everyone over IPv4 and IPv6",
    "ufw route allow in on wg0 to any port 8096 proto tcp": "",
    "ufw route insert 1 deny from 81.2.0.0/16": "alice (81.2.69.142) is locked out of 8096/tcp",
}


@pytest.mark.parametrize(("deed", "said"), BY_HAND.items(), ids=range(len(BY_HAND)))
def test_rules_for_what_is_forwarded_are_judged_by_their_effect(
    inside: Namespace, deed: str, said: str
) -> None:
    with_lan(inside, "10.10.0.1/24", "fd00:10::1/64")
    for family, to in (("ip", "10.10.0.5:8096"), ("ip6", "[fd00:10::5]:8096")):
        inside.nft(
            f"table {family} n {{ chain p {{ type nat hook prerouting priority dstnat;"
            f"iifname eth0 tcp dport 80 dnat to {to};\n }}\n}}"
        )
    route_for(inside, INNER)
    inside.command("sh", "-ec", deed)
    whats = [one.what for one in found(inside, INNER)]
    assert all(one.startswith(said) for one in whats)
    assert bool(whats) is bool(said)


def test_the_port_of_the_machine_itself_is_another_matter(inside: Namespace) -> None:
    for tool, rules in (("iptables", IPV4), ("ip6tables", IPV6)):
        inside.command(f"{tool}-restore", "-n", stdin=rules)
    with_docker(inside)
    route_for(inside, INNER)
    inside.command("ufw", "allow", f"{INNER}/tcp")
    assert found(inside, INNER) == []


def with_lan(inside: Namespace, *addresses: str) -> None:
    """Give it a network behind it, to which it forwards."""
    inside.command("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan0peer")
    inside.batch(*(f"address add {one} dev lan0 nodad" for one in addresses), "link set lan0 up")
    inside.batch("link set lan0peer up")
    inside.sysctl("net/ipv4/ip_forward", "1")
    inside.sysctl("net/ipv6/conf/all/forwarding", "1")
    own = [one.partition("/")[0] for one in addresses]
    assert eventually(lambda: all(f"local {one} " in _routes(inside) for one in own))


def _routes(inside: Namespace) -> str:
    """Those of both families: some come only once the kernel has seen that a link is up."""
    return "".join(
        inside.command("ip", family, "route", "show", "table", "all") for family in ("-4", "-6")
    )


def test_an_address_behind_the_machine_is_asked_for(inside: Namespace) -> None:
    with_lan(inside, "2a02:2e0:77::1/64")
    inside.batch("neighbour add 2a02:2e0:77::10 lladdr 02:00:00:00:00:10 dev lan0")
    route_for(inside, INNER)
    assert found(inside, INNER) == []
    inside.command("sh", "-c", "ip6tables -I FORWARD -d 2a02:2e0:77::10 -j ACCEPT")
    (one,) = found(inside, INNER)
    assert one.what.startswith(
        "8096/tcp is open to everyone over IPv6 by eth0 at 2a02:2e0:77::10: ip6 filter FORWARD"
    )


@pytest.mark.parametrize(
    ("network", "asked"), [("193.99.78.0/24", "193.99.78.1"), ("193.99.78.7/32", "193.99.78.7")]
)
def test_what_is_behind_another_router_is_asked_for(
    inside: Namespace, network: str, asked: str
) -> None:
    with_lan(inside, "193.99.77.1/24")
    inside.batch(f"route add {network} via 193.99.77.9 dev lan0")
    route_for(inside, INNER)
    inside.command("sh", "-c", f"iptables -I FORWARD -d {network} -j ACCEPT")
    (one,) = found(inside, INNER)
    assert one.what.startswith(f"8096/tcp is open to everyone over IPv4 by eth0 at {asked}: ")


@pytest.mark.parametrize("uplink", [False, True], ids=["public", "private"])
def test_private_addresses_are_reached_from_a_private_uplink_alone(
    inside: Namespace, *, uplink: bool
) -> None:
    with_lan(inside, "10.10.0.1/24")
    if uplink:  # a router in front may forward to addresses behind this machine
        inside.batch("address add 192.168.1.5/24 dev eth0")
    route_for(inside, INNER)
    inside.command("sh", "-c", "iptables -I FORWARD -o lan0 -j ACCEPT")
    said = [one.what.partition(" over")[0] for one in found(inside, INNER)]
    if uplink:
        assert said == ["8096/tcp is open to everyone"]
    else:
        assert said == ["8096/tcp: nothing is known to be forwarded there, so no packet was tested"]
