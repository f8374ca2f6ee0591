"""What packets meet beside a gate, in rulesets as people publish them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from tests.support import ufw
from tests.support.gates import allow, gate, port
from tests.support.met_packets import UPLINK, guard, seen, with_uplink
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
PORTS: Final = (port(PORT, Protocol.TCP),)

UPLINK_ONLY: Final = """table inet guard { chain input {
  type filter hook input priority 0; policy drop;
  iifname != "eth0" accept
  ct state established,related accept
  meta l4proto { icmp, ipv6-icmp } accept
  tcp dport { 22 %s } accept
}
}"""
FAMILY: Final = """table inet filter { chain input { type filter hook input priority 0;
  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  %s drop
}
}"""
ZONES: Final = """table inet zones {
  chain allowed { tcp dport { 22, %s } ct state { new, untracked } accept; }
  chain public { jump allowed
    meta l4proto { icmp, ipv6-icmp } accept
    reject with icmpx admin-prohibited
  }
  chain zones { iifname "eth0" goto public
    goto public
  }
  chain input { type filter hook input priority 10;
    ct state { established, related } accept
    iifname "lo" accept
    jump zones
    reject with icmpx admin-prohibited
  }
}"""
RAW: Final = """table ip raw { chain prerouting { type filter hook prerouting priority -300;
  ip saddr 81.2.0.0/16 %s drop
}
}"""
BANNED: Final = """table inet bans {
  set banned { type ipv4_addr; flags interval; elements = { %s } }
  chain input { type filter hook input priority -10; ip saddr @banned drop; }
}"""
# One friend is in a zone that trusts it, whatever the others may reach.
FIREWALLD: Final = (Path(__file__).parent / "rulesets" / "firewalld-zones.nft").read_text()

# Rules beside a gate, and which of the friends they lock out.
BESIDE: Final = {
    UPLINK_ONLY % "": {"alice", "bob"},
    UPLINK_ONLY % ", 8096": set(),
    FAMILY % "meta nfproto ipv6": {"bob"},
    FAMILY % "meta nfproto ipv6 udp dport 5355": set(),
    FAMILY % "tcp dport 3306": set(),
    ZONES % "443": {"alice", "bob"},
    ZONES % "8096": set(),
    ZONES % "8000-8100": set(),
    RAW % "": {"alice"},
    RAW % "udp dport 53": set(),
    BANNED % "81.2.69.0/24": {"alice"},
    BANNED % "185.199.108.0/24": set(),
    FIREWALLD: set(),
    FIREWALLD.replace("\t\ttcp dport 8096 accept\n", ""): {"bob"},
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink, and nothing else."""
    with Namespace() as namespace:
        with_uplink(namespace)
        yield namespace


@pytest.fixture
def with_ufw(inside: Namespace) -> Namespace:
    """The same with an enabled UFW that holds the friends' rules."""
    ufw.with_ufw(inside)
    allow(inside, ufw.backend(ports=PORTS), FRIEND, FRIEND6)
    return inside


def whats(inside: Namespace, interfaces: tuple[str, ...] = ("lo",)) -> list[str]:
    """What errors say."""
    found = seen(inside, guard(PORT, interfaces=interfaces), FRIENDS)
    assert {one.severity for one in found} <= {Severity.ERROR}
    return [one.what for one in found]


@pytest.mark.parametrize(("rules", "out"), BESIDE.items(), ids=range(len(BESIDE)))
def test_a_firewall_that_locks_friends_out_is_named_and_no_other(
    inside: Namespace, rules: str, out: set[str]
) -> None:
    inside.nft(rules)
    allow(inside, gate(ports=PORTS), FRIEND, FRIEND6)
    found = whats(inside)
    assert all("locked out of 8096/tcp" in one for one in found)
    assert {name for name in ("alice", "bob") if any(name in one for one in found)} == out


def test_a_gate_that_is_gone_leaves_the_port_open_to_everyone(inside: Namespace) -> None:
    (what,) = whats(inside)
    assert what.startswith("8096/tcp is open to everyone over IPv4 and IPv6 by eth0")


def test_an_open_interface_with_the_default_route_opens_the_port(inside: Namespace) -> None:
    opened = ("lo", UPLINK)
    allow(inside, gate(ports=PORTS, interfaces=opened), FRIEND, FRIEND6)
    (found,) = seen(inside, guard(PORT, interfaces=opened), FRIENDS)
    assert found.what.startswith("8096/tcp is open to everyone")
    assert found.advice == "take eth0 out of open_interfaces: the default route is there"


def test_each_uplink_is_asked_by_itself(inside: Namespace) -> None:
    with_uplink(inside, "wan1", 2)
    allow(inside, gate(ports=PORTS, interfaces=("lo", "wan1")), FRIEND, FRIEND6)
    (what,) = whats(inside)
    assert what.startswith("8096/tcp is open to everyone over IPv4 and IPv6 by wan1")


def test_where_a_host_gets_in_by_another_uplink_that_is_said(inside: Namespace) -> None:
    with_uplink(inside, "wan1", 2)
    allow(inside, gate(ports=PORTS), FRIEND, FRIEND6)
    inside.nft(
        "table inet f { chain i { type filter hook input priority 5; "
        'iifname "wan1" tcp dport 8096 drop; }; }'
    )
    (one,) = seen(inside, guard(PORT), FRIENDS)
    assert " locked out of 8096/tcp over IPv4 and IPv6 by wan1: inet f i" in one.what
    assert one.what.endswith("; by eth0 they get in")
    assert one.severity is Severity.WARNING


# What was done to UFW by hand, and what is found.
BY_HAND: Final = {
    "ufw allow in on tailscale0; ufw allow in on wg0; ufw allow from 192.168.0.0/16": "",
    "ufw allow in on tailscale0 to any port 8096 proto tcp; ufw limit 22/tcp": "",
    "ufw allow in on eth0": "8096/tcp is open to everyone over IPv4 and IPv6 by eth0",
    "ufw allow 8096": "8096/tcp is open to everyone over IPv4 and IPv6 by eth0",
    "ufw insert 1 deny in on eth0 to any port 8096 proto tcp": "alice (81.2.69.142) is locked out",
    "ufw insert 1 deny from 81.2.0.0/16": "alice (81.2.69.142) is locked out of 8096/tcp over IPv4",
    "ufw deny 8096/tcp": "",
    "iptables -I ufw-before-input -p tcp --dport 8096 -j ACCEPT": "8096/tcp is open to everyone "
    "over IPv4 by eth0",
    "ip6tables -I ufw6-before-input -p tcp --dport 8096 -j ACCEPT": "8096/tcp is open to everyone "
    "over IPv6 by eth0",
    "iptables -I ufw-before-input -p tcp --dport 8443 -j ACCEPT": "",
}


@pytest.mark.parametrize(("deed", "said"), BY_HAND.items(), ids=range(len(BY_HAND)))
def test_what_was_done_to_ufw_by_hand_is_judged_by_its_effect(
    with_ufw: Namespace, deed: str, said: str
) -> None:
    with_ufw.command("sh", "-ec", deed)
    found = whats(with_ufw)
    assert any(one.startswith(said) for one in found) if said else found == []
