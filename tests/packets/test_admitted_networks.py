"""Networks of others that a rule lets in at a guarded port, and rules about a part of its range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.model.target import Guard, PortRange, Severity
from allowsync.model.types import Entry
from tests.support import ufw
from tests.support.gates import allow, port
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.netns import Namespace
from tests.support.published import publish, with_container
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import Finding

pytestmark = pytest.mark.root

PORT: Final = 8096
FRIEND, FRIEND6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
FRIENDS: Final = (Entry(net(FRIEND), ("alice",)), Entry(net(FRIEND6), ("bob",)))
GUARD: Final = guard(PORT)
PORTS: Final = (port(PORT, Protocol.TCP),)

# A filter of nftables that drops all but these; `S` stands for the sets that it has.
FILTER: Final = """flush ruleset; table inet filter {{ {sets}
 chain trusted {{ accept; }}
 chain input {{ type filter hook input priority 0; policy drop;
  icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
  ip saddr 81.2.69.142 tcp dport 8096 accept
  ip6 saddr 2a02:8109:9a40::/64 tcp dport 8096 accept
  {rule}
 }}
}}"""
ZONES: Final = (
    "map zones { type ipv4_addr : verdict; flags interval; "
    "elements = { 198.51.100.0/24 : jump trusted, 203.0.113.0/24 : drop }; }"
)
PAIRS: Final = (
    "set pairs { typeof ip saddr . tcp dport; flags interval; "
    "elements = { 198.51.100.0/24 . 8000-8100, 203.0.113.0/24 . 443 }; }"
)
# A rule with its sets, and the networks that reach the port by it.
BY_NFT: Final = {
    ("ip saddr 198.51.100.0/24 tcp dport 8096 accept", ""): ["198.51.100.0/24"],
    ("ip saddr 198.51.0.0/18 accept", ""): ["198.51.0.0/18"],
    ("ip saddr 198.0.0.0/8 accept", ""): ["198.0.0.0/8"],
    ("ip saddr 198.51.100.7 accept", ""): ["198.51.100.7"],
    ("ip saddr 198.51.100.7-198.51.100.20 accept", ""): ["198.51.100.7-198.51.100.20"],
    ("ip6 saddr 2001:db9:7::/48 accept", ""): ["2001:db9:7::/48"],
    ("ip6 saddr 2001:db9:7:0::/52 accept", ""): ["2001:db9:7::/52"],
    ("ip saddr { 198.51.100.0/24, 203.0.113.9 } accept", ""): ["198.51.100.0/24", "203.0.113.9"],
    ("ip saddr != 198.51.100.0/24 drop; meta nfproto ipv4 accept", ""): ["198.51.100.0/24"],
    ("ip saddr 198.51.100.0/25 drop; ip saddr 198.51.100.0/24 accept", ""): ["198.51.100.0/24"],
    ("ip saddr 198.51.100.0/24 goto trusted", ""): ["198.51.100.0/24"],
    (
        "ip saddr vmap @zones",
        ZONES,
    ): ["198.51.100.0/24"],
    (
        "ip saddr . tcp dport @pairs accept",
        PAIRS,
    ): ["198.51.100.0/24"],
    (
        "iifname . ip6 saddr @pairs accept",
        "set pairs { type ifname . ipv6_addr; elements = { eth0 . 2001:db9::7 }; }",
    ): ["2001:db9::7"],
    ("ip saddr { 10.0.0.0/8, 192.168.0.0/16, 100.64.0.0/10 } accept", ""): [],
    ("ip6 saddr { fd00::/8, fe80::/10 } accept", ""): [],
    ("ip saddr 81.2.69.142 accept", ""): [],
    ("ip saddr 198.51.100.0/24 tcp dport 8097 accept", ""): [],
    ("ip daddr 198.51.100.0/24 accept", ""): [],
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink."""
    with Namespace() as namespace:
        with_uplink(namespace)
        yield namespace


def admitted(inside: Namespace, what: Guard = GUARD) -> list[str]:
    """The networks that are said to get in."""
    found = seen(inside, what, FRIENDS)
    assert {one.severity for one in found} <= {Severity.ERROR}, found
    assert all("8096/tcp" in one.what and "; not on an allowlist" in one.what for one in found)
    return sorted(name for one in found for name in _subjects(one))


def _subjects(found: Finding) -> list[str]:
    return found.what.partition(" reach")[0].split(", ")


def test_networks_that_a_rule_of_nftables_lets_in_are_named(inside: Namespace) -> None:
    for (rule, sets), networks in BY_NFT.items():
        inside.nft(FILTER.format(rule=rule.replace("; ", "\n"), sets=sets))
        assert admitted(inside) == networks, rule


# Commands of iptables after which all but friends are dropped, and the network that gets in.
BY_IPTABLES: Final = {
    "{v4} -I INPUT -s 198.51.100.0/24 -j ACCEPT": "198.51.100.0/24",
    "{v4} -I INPUT -m iprange --src-range 198.51.100.7-198.51.100.20 -j ACCEPT": (
        "198.51.100.7-198.51.100.20"
    ),
    "{v6} -I INPUT -s 2001:db9:7::/48 -p tcp --dport 8096 -j ACCEPT": "2001:db9:7::/48",
    "ipset create office hash:net; ipset add office 198.51.100.0/24;"
    "{v4} -I INPUT -m set --match-set office src -j ACCEPT": "198.51.100.0/24",
    "ipset create office hash:ip,port; ipset add office 198.51.100.7,tcp:8096;"
    "{v4} -I INPUT -m set --match-set office src,dst -j ACCEPT": "198.51.100.7",
    "ipset create office hash:net,iface family inet6;"
    "ipset add office 2001:db9:7::/48,eth0;"
    "{v6} -I INPUT -m set --match-set office src,src -j ACCEPT": "2001:db9:7::/48",
}


@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize(("deed", "network"), BY_IPTABLES.items(), ids=range(len(BY_IPTABLES)))
def test_networks_that_a_rule_of_iptables_lets_in_are_named(
    inside: Namespace, deed: str, network: str, variant: str
) -> None:
    tools = {"v4": f"iptables-{variant}", "v6": f"ip6tables-{variant}"}
    for tool, friend in zip(tools.values(), (FRIEND, FRIEND6), strict=True):
        inside.command("sh", "-ec", f"{tool} -P INPUT DROP; {tool} -I INPUT -s {friend} -j ACCEPT")
    inside.command("sh", "-ec", f"{tools['v6']} -A INPUT -p ipv6-icmp -j ACCEPT")
    inside.command("sh", "-ec", deed.format(**tools))
    assert admitted(inside) == [network]


def test_a_rule_of_ufw_for_another_network_is_named(inside: Namespace) -> None:
    ufw.with_ufw(inside)
    allow(inside, ufw.backend(ports=PORTS), FRIEND, FRIEND6)
    inside.command("sh", "-ec", "ufw allow from 192.168.0.0/16; ufw allow from 198.51.100.0/24")
    (one,) = seen(inside, GUARD, FRIENDS)
    assert one.severity is Severity.ERROR
    assert one.what.startswith("198.51.100.0/24 reaches 8096/tcp over IPv4 by eth0: ip filter ufw")
    assert "ip saddr 198.51.100.0/24" in one.what
    assert one.what.endswith("accept; not on an allowlist")


def test_where_all_get_in_networks_are_not_named_as_well(inside: Namespace) -> None:
    inside.nft(FILTER.format(rule="ip saddr 198.51.100.0/24 accept\naccept", sets=""))
    (one,) = seen(inside, GUARD, FRIENDS)
    assert one.what.startswith("8096/tcp is open to everyone")


def test_a_network_of_the_home_itself_is_no_other(inside: Namespace) -> None:
    inside.batch("address add 192.168.1.5/24 dev eth0")
    inside.nft(FILTER.format(rule="ip6 saddr 2a02:2e0:1::/64 accept", sets=""))
    assert admitted(inside) == []


def test_where_a_router_forwards_networks_are_named(inside: Namespace) -> None:
    ufw.with_ufw(inside)
    with_container(inside)
    publish(inside, 9000, PORT)
    allow(inside, ufw.backend(ports=PORTS, route=True), FRIEND, FRIEND6)
    inside.command(
        "sh", "-ec",
        "for one in iptables ip6tables; do $one -F DOCKER; $one -I DOCKER-USER -j RETURN; done;"
        "ufw route allow from 198.51.100.0/24",
    )  # fmt: skip
    (one,) = seen(inside, Guard((PortRange(PORT, PORT, "tcp"),), forwarded=True), FRIENDS)
    assert one.what.startswith("198.51.100.0/24 reaches 8096/tcp over IPv4 by eth0 at 9000/tcp, ")


def test_of_a_long_list_some_networks_are_asked_about(inside: Namespace) -> None:
    listed = ", ".join(f"{60 + n // 65536}.{n // 256 % 256}.{n % 256}.0/25" for n in range(20_000))
    sets = f"set long {{ type ipv4_addr; flags interval; elements = {{ {listed} }}\n }}"
    inside.nft(FILTER.format(rule="ip saddr @long accept", sets=sets))
    found = seen(inside, GUARD, FRIENDS)
    assert [one.severity for one in found] == [Severity.INFO, Severity.ERROR]
    assert "more networks that rules name" in found[0].what
    assert " and 13 more reach 8096/tcp" in found[1].what


RANGE: Final = PortRange(8000, 9000, "tcp")
RANGED: Final = """flush ruleset; table inet filter {{
 chain input {{ type filter hook input priority 0; policy drop;
  icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
  {rule}
  ip saddr 81.2.69.142 tcp dport 8000-9000 accept
  ip6 saddr 2a02:8109:9a40::/64 tcp dport 8000-9000 accept
 }}
}}"""
# A rule about a part of the range, and how what is found begins.
PARTS: Final = {
    "tcp dport 8096 accept": "8096/tcp of 8000-9000/tcp is open to everyone",
    "tcp dport 8096-9500 accept": "8096-9000/tcp of 8000-9000/tcp is open to everyone",
    "tcp dport > 8998 accept": "8999-9000/tcp of 8000-9000/tcp is open to everyone",
    "tcp dport { 22, 8500 } accept": "8500/tcp of 8000-9000/tcp is open to everyone",
    "tcp dport vmap { 8443 : accept, 9443 : drop }": "8443/tcp of 8000-9000/tcp is open",
    "ip saddr 198.51.100.0/24 tcp dport 8096 accept": (
        "198.51.100.0/24 reaches 8096/tcp of 8000-9000/tcp over IPv4"
    ),
    "ip saddr 81.2.0.0/16 tcp dport 8096 drop": (
        "alice (81.2.69.142) is locked out of 8096/tcp of 8000-9000/tcp over IPv4 by eth0: inet"
    ),
    "tcp dport 9001-9100 accept": "",
}


def test_a_rule_about_a_part_of_a_range_is_seen(inside: Namespace) -> None:
    for rule, said in PARTS.items():
        inside.nft(RANGED.format(rule=rule))
        found = seen(inside, Guard((RANGE,), ("lo",)), FRIENDS)
        assert len(found) == bool(said), found
        assert all(one.what.startswith(said) for one in found), found


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_a_rule_of_iptables_about_a_part_of_a_range_is_seen(inside: Namespace, tool: str) -> None:
    inside.command(
        "sh", "-ec",
        f"{tool} -P INPUT DROP; {tool} -A INPUT -p tcp -m multiport --dports 80,8096 -j ACCEPT;"
        f"{tool} -A INPUT -s {FRIEND} -j ACCEPT",
    )  # fmt: skip
    inside.nft("table ip6 f { chain i { type filter hook input priority 0; policy drop; }; }")
    (one,) = seen(inside, Guard((RANGE,), ("lo",)), FRIENDS[:1])
    assert one.what.startswith("8096/tcp of 8000-9000/tcp is open to everyone over IPv4 by eth0")
