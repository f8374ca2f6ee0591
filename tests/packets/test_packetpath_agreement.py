"""A copy of the packet filter answers what real packets find, whatever the ruleset looks like."""

from __future__ import annotations

import struct
from contextlib import closing
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from allowsync.packetpath import PacketVerdict
from allowsync.packetpath.netlink import NETFILTER, Netlink, attribute
from tests.support.agreement import (
    RULESETS,
    SERVICES,
    TOOLS,
    Case,
    clear,
    compare,
    groups,
    load,
    served_world,
)
from tests.support.internet import FRIEND, STRANGER
from tests.support.sampling import share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.packetpath import Answer
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

Services: TypeAlias = "frozenset[tuple[str, int]]"
LEAST: Final = 60  # rulesets


@pytest.fixture
def world(as_root: None) -> Iterator[Internet]:
    """The server with its services, and the container with its own."""
    with served_world() as net:
        yield net


def compared(world: Internet, unknown: Services = frozenset()) -> tuple[Answer, ...]:
    """What the copy answers to all, which is what their packets find; nothing else changes.

    Of some services it is to say that it does not know.
    """
    done = compare(world)
    assert done.unknown == unknown, done.copied
    assert done.wrong == {}
    return done.answers


def test_rulesets_are_many() -> None:
    assert sum(map(len, groups())) >= LEAST


@pytest.mark.parametrize("group", groups(), ids=lambda group: str(group[0]))
def test_the_copy_agrees(world: Internet, group: list[Case]) -> None:
    for case in group:
        load(world.server, *case)
        unnamed = [
            answer
            for answer in compared(world)
            if answer.verdict != PacketVerdict.DELIVERED and not answer.rules
        ]
        assert not unnamed or case.ruleset.stem == "nothing", case
        clear(world.server)


def test_the_copy_agrees_on_a_very_long_list(world: Internet) -> None:
    length = share(100_000, 20_000)
    banned = (f"{60 + n // 65536}.{n // 256 % 256}.{n % 256}.0/25" for n in range(length))
    world.server.nft(
        f"""
        table inet lists {{
            set banned {{
                type ipv4_addr; flags interval
                elements = {{ {", ".join((FRIEND, STRANGER, *banned))} }}
            }}
            chain in {{
                type filter hook input priority -1
                ip saddr @banned tcp dport 22 drop
                ip saddr != {FRIEND} ip saddr @banned drop
            }}
        }}"""
    )
    met = {
        (str(one.question.source), one.question.port): one.verdict
        for one in compared(world)
        if one.question.protocol == "tcp"
    }
    assert met[STRANGER, 8096] is PacketVerdict.DROPPED
    assert met[FRIEND, 8096] is PacketVerdict.DELIVERED
    assert met[FRIEND, 22] is PacketVerdict.DROPPED


CHAIN: Final = "type filter hook"
TCP_443: Final[Services] = frozenset({("tcp", 443)})
EVERYTHING: Final[Services] = frozenset(SERVICES)
# What decides is no rule, and of which services that is so.
DECIDED_ELSEWHERE: Final = {
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 numgen random mod 2 0 drop; }}": TCP_443,
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 numgen inc mod 8 != 0 drop; }}": TCP_443,
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 numgen random mod 99 0 drop; }}": TCP_443,
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 jhash tcp sport mod 8 != 0 drop; }}": (
        TCP_443
    ),
    f"chain i {{ {CHAIN} input priority 0; ip daddr 192.0.2.1 jhash ip saddr mod 8 1 drop; }}": (
        frozenset()
    ),
    f"chain p {{ {CHAIN} prerouting priority mangle; tcp dport 443 tproxy to :9999 accept; }}": (
        TCP_443
    ),
    f"chain p {{ {CHAIN} prerouting priority raw; tcp dport 443 notrack; }}; chain i {{ {CHAIN} "
    "input priority 0; tcp dport 443 ct state invalid,untracked synproxy; }": TCP_443,
    "synproxy s { mss 1460; wscale 7; timestamp sack-perm; }; "
    f"chain p {{ {CHAIN} prerouting priority raw; tcp dport 443 notrack; }}; chain i {{ {CHAIN} "
    'input priority 0; tcp dport 443 ct state invalid,untracked synproxy name "s"; }': TCP_443,
    # What packets that ask for the same have otherwise, where that decides.
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 ip ttl < 63 drop; }}": TCP_443,
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 ip6 hoplimit 64 reject; }}": TCP_443,
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 tcp option timestamp missing drop; }}": (
        TCP_443
    ),
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 meta length < 60 drop; }}": TCP_443,
    f"chain i {{ {CHAIN} input priority 0; udp dport 443 ip dscp != cs0 drop; }}": frozenset(
        {("udp", 443)}
    ),
    f"chain i {{ {CHAIN} input priority 0; udp dport 443 udp length > 500 drop; }}": frozenset(
        {("udp", 443)}
    ),
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 tcp option maxseg size < 536 drop; }}": (
        frozenset()
    ),
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 tcp window < 1024 drop; }}": frozenset(),
    'ct helper ftp { type "ftp" protocol tcp; }; '
    f'chain p {{ {CHAIN} prerouting priority 0; tcp dport 443 ct helper set "ftp"; }}': frozenset(),
}
# The same by iptables; a program reads queue 3, and none reads queue 4.
BY_IPTABLES: Final = {
    "-A INPUT -p tcp --dport 443 -m statistic --mode random --probability 0.5 -j DROP": TCP_443,
    "-A INPUT -p tcp --dport 443 -m statistic --mode nth --every 8 --packet 0 -j DROP": TCP_443,
    "-t mangle -A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9999": TCP_443,
    "-A INPUT -p tcp --dport 443 -j SYNPROXY": TCP_443,
    "-A INPUT -p tcp --dport 443 -m length --length 0:59 -j DROP": TCP_443,
    "-A INPUT -p tcp --dport 443 -m dscp --dscp 10 -j DROP": TCP_443,
    "-A INPUT -p tcp --syn --dport 443 -m tcpmss ! --mss 536:65535 -j DROP": frozenset(),
    "-A INPUT -j NFQUEUE --queue-num 3": EVERYTHING,
    "-A INPUT -p tcp --dport 443 -j NFQUEUE --queue-num 4": frozenset(),
    "-A INPUT -p tcp --dport 443 -j NFQUEUE --queue-num 4 --queue-bypass": frozenset(),
    "-t raw -A PREROUTING -p tcp --dport 443 -j CT --helper ftp": frozenset(),
}


@pytest.mark.parametrize(
    ("rules", "unknown"), DECIDED_ELSEWHERE.items(), ids=range(len(DECIDED_ELSEWHERE))
)
def test_what_no_rule_decides_is_unknown(world: Internet, rules: str, unknown: Services) -> None:
    lines = rules.replace("; ", "\n")
    world.server.nft(f"table inet t {{ {lines}\n}}")
    compared(world, unknown)


@pytest.mark.parametrize("variant", TOOLS)
@pytest.mark.parametrize(("rule", "unknown"), BY_IPTABLES.items(), ids=range(len(BY_IPTABLES)))
def test_what_no_rule_of_iptables_decides_is_unknown(
    world: Internet, rule: str, unknown: Services, variant: str
) -> None:
    for tool in TOOLS[variant]:
        world.server.command(tool, *rule.split())
    with world.server.run(reader, 3):
        compared(world, unknown)


def reader(queue: int) -> closing[Netlink]:
    """What a program holds that decides about a queue."""
    netlink = Netlink(NETFILTER)
    bind = attribute(1, struct.pack(">BxH", 1, 0))
    assert netlink.request(0x302, 0, struct.pack(">BBH", 0, 0, queue) + bind) == 0
    return closing(netlink)


@pytest.mark.parametrize("setting", ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
def test_what_is_translated_and_not_forwarded_is_dropped(world: Internet, setting: str) -> None:
    world.server.sysctl(f"net/{setting}", "0")
    load(world.server, RULESETS / "docker.rules", "nft")
    compared(world)


# What is left of a network that the machine is no longer in.
STALE: Final = (
    "address add 10.0.0.5/24 dev eth0",
    "route add 10.9.0.0/16 via 10.0.0.1",
    "address del 10.0.0.5/24 dev eth0",
    "address add fd00:1::5/64 dev eth0 nodad",
    "route add fd00:9::/48 via fd00:1::1",
    "address del fd00:1::5/64 dev eth0",
)


def test_a_route_whose_gateway_is_gone_makes_nothing_unknown(world: Internet) -> None:
    world.server.batch(*STALE)
    assert "10.9.0.0/16" in world.server.command("ip", "route")
    assert "fd00:9::/48" in world.server.command("ip", "-6", "route")
    compared(world)


BY_EBTABLES: Final = """
-A INPUT -p IPv4 --ip-protocol tcp --ip-destination-port 443 -j DROP
-A INPUT -p IPv6 --ip6-protocol udp --ip6-destination-port 8096 -j DROP
-A INPUT -p ! IPv4 --limit 5/sec -j CONTINUE
-A FORWARD -p ARP --arp-ip-src 192.0.2.1 -j DROP
-t nat -A PREROUTING -p ARP --arp-ip-dst 192.0.2.1 -j arpreply --arpreply-mac 02:00:00:00:00:01
"""


def test_rules_of_ebtables_decide_as_in_the_machine(world: Internet) -> None:
    load(world.server, RULESETS / "bridged.nft", "")
    clear(world.server)
    for rule in BY_EBTABLES.strip().splitlines():
        world.server.command("ebtables-nft", *rule.split())
    met = {
        (one.question.source.version, one.question.protocol, one.question.port): one.verdict
        for one in compared(world)
    }
    assert met[4, "tcp", 443] is PacketVerdict.DROPPED is met[6, "udp", 8096]
    assert met[6, "tcp", 443] is PacketVerdict.DELIVERED is met[4, "udp", 8096]
