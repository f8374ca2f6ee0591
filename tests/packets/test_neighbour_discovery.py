"""Rules that keep the router from finding this machine keep friends out, whatever else they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from allowsync.packetpath import Question, ask
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.netns import Namespace
from tests.support.terminal import eventually
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

FRIENDS: Final = (
    Entry(net("2a02:8109:9a40::/64"), ("bob",)),
    Entry(net("81.2.69.142"), ("alice",)),
)
GUARD: Final = guard(8096)
INPUT: Final = """flush ruleset; table inet f {{
 chain i {{ type filter hook input priority 0; policy drop;
 {rules}
 ip saddr 81.2.69.142 accept
 ip6 saddr 2a02:8109:9a40::/64 tcp dport 8096 accept
}}
}}"""
NEIGHBOURS: Final = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
OUTPUT: Final = """
table ip6 o { chain o { type filter hook output priority 0; policy drop; tcp sport 8096 accept
}
}"""
# Rules, and that which is named as what keeps the router from finding this machine.
RULES: Final = {
    INPUT.format(rules=NEIGHBOURS): "",
    INPUT.format(rules="meta l4proto ipv6-icmp accept"): "",
    INPUT.format(rules="ct state invalid drop\nct state established,related accept"): (
        "inet f i: policy drop"
    ),
    INPUT.format(rules="icmpv6 type nd-neighbor-solicit accept"): "inet f i: policy drop",
    INPUT.format(rules="icmpv6 type nd-neighbor-advert accept"): "inet f i: policy drop",
    INPUT.format(rules=f"ip6 daddr ff00::/8 drop\n{NEIGHBOURS}"): (
        "inet f i: ip6 daddr ff00::/8 drop"
    ),
    INPUT.format(rules=NEIGHBOURS) + OUTPUT: "ip6 o o: policy drop",
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink."""
    with Namespace() as namespace:
        with_uplink(namespace)
        assert eventually(
            lambda: "tentative" not in namespace.command("ip", "-6", "address", "show", "eth0")
        )
        yield namespace


def test_rules_that_stop_neighbour_discovery_are_named(inside: Namespace) -> None:
    for rules, rule in RULES.items():
        inside.nft(rules)
        found = [one for one in seen(inside, GUARD, FRIENDS) if "router" in one.what]
        said = (
            "bob (2a02:8109:9a40::/64) cannot come over IPv6 by eth0: no router finds this "
            f"machine, as neighbour discovery is dropped: {rule}"
        )
        assert [one.what for one in found] == ([said] if rule else [])
        assert {one.severity for one in found} <= {Severity.ERROR}


# Rules of ip6tables-legacy, each set beside the others, and the one that is named.
LEGACY: Final = {
    "-A INPUT -p ipv6-icmp --icmpv6-type neighbour-solicitation -j ACCEPT": "",
    "-A INPUT -p ipv6-icmp --icmpv6-type echo-request -j DROP": "",
    "-A OUTPUT -p ipv6-icmp --icmpv6-type redirect -j DROP": "",
    "-A INPUT -p ipv6-icmp -j DROP": "filter INPUT: -p ipv6-icmp -j DROP",
    "-I OUTPUT -p ipv6-icmp -j DROP": "filter OUTPUT: -p ipv6-icmp -j DROP",
}


def test_iptables_legacy_stops_it_as_well(inside: Namespace) -> None:
    for deed, rule in LEGACY.items():
        inside.command("ip6tables-legacy", *deed.split())
        found = [one.what for one in seen(inside, GUARD, FRIENDS) if "router" in one.what]
        assert len(found) == bool(rule), deed
        assert all(one.endswith(f": ip6tables-legacy {rule}") for one in found), found


def test_rules_for_arp_are_named(inside: Namespace) -> None:
    inside.nft("table arp a { chain i { type filter hook input priority 0; policy drop; }; }")
    asked = [Question(FRIENDS[1].network.network_address, "tcp", 8096)]
    assert inside.run(ask, asked).machine.caveats == (
        "rules for ARP, by which neighbours find this machine over IPv4",
    )
