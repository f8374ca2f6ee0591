"""A copy of the packet filter answers what real packets find, whatever the ruleset looks like."""

from __future__ import annotations

import re
import struct
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from allowsync.packetpath import Question, Verdict, ask
from allowsync.packetpath.netlink import NETFILTER, Netlink, attribute
from tests.support.arrivals import Named, each, outcomes
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
    Internet,
)
from tests.support.sampling import share
from tests.support.terminal import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.packetpath import Answer
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

RULESETS: Final = Path(__file__).parent / "rulesets"
SERVED, CONTAINED = (22, 443, 8096), (80, 443)
SERVICES: Final = tuple(
    (protocol, port) for protocol in ("tcp", "udp") for port in (22, 443, 8080, 8096, 8443, 9000)
)
Services: TypeAlias = "frozenset[tuple[str, int]]"
SOURCES: Final = (FRIEND, STRANGER, FRIEND6, STRANGER6)
TOOLS: Final = {
    "nft": ("iptables-nft", "ip6tables-nft"),
    "legacy": ("iptables-legacy", "ip6tables-legacy"),
}
CASES: Final = [
    *[pytest.param(one, "", id=one.stem) for one in sorted(RULESETS.glob("*.nft"))],
    *[
        pytest.param(one, variant, id=f"{one.stem}-{variant}")
        for one in sorted(RULESETS.glob("*.rules"))
        for variant in TOOLS
    ],
]
COUNTED: Final = re.compile(
    r"packets \d+ bytes \d+|\[\d+:\d+\]|expires \w+|timeout \d+|used \d+ bytes"
)


@pytest.fixture
def world(as_root: None) -> Iterator[Internet]:
    """The server with its services, and the container with its own."""
    with Internet() as net:
        for setting in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
            net.server.sysctl(f"net/{setting}", "0")
            net.container.sysctl(f"net/{setting}", "0")
        assert eventually(lambda: "local 2a02:2e0:3fe:2::1 " in _routes(net.server))
        with Named(net.server, "server", SERVED), Named(net.container, "container", CONTAINED):
            yield net


def _routes(server: Namespace) -> str:
    """Those of IPv6: some come only once the kernel has seen that a link is up."""
    return server.command("ip", "-6", "route", "show", "table", "all")


def load(server: Namespace, ruleset: Path, variant: str) -> None:
    if (routes := ruleset.with_suffix(".ip")).exists():
        server.batch(*routes.read_text().splitlines())
    if ruleset.suffix == ".nft":
        server.nft(ruleset.read_text())
        return
    if (sets := ruleset.with_suffix(".ipset")).exists():
        server.command("ipset", "restore", stdin=sets.read_text())
    for tool, suffix in zip(TOOLS[variant], (".rules", ".rules6"), strict=True):
        if (rules := ruleset.with_suffix(suffix)).exists():
            server.command(f"{tool}-restore", stdin=rules.read_text())


def listed(server: Namespace) -> list[str]:
    """All that there is, but for what is counted."""
    commands = [
        ("nft", "list", "ruleset"),
        ("ipset", "save"),
        ("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"),
        ("ip", "-d", "address"),
        ("ip", "route", "show", "table", "all"),
        ("ip", "-6", "route", "show", "table", "all"),
        ("ip", "rule"),
    ]
    found = [COUNTED.sub("", server.command(*one)) for one in commands]
    for tool in TOOLS["legacy"]:
        if found[2].strip():
            found.append(COUNTED.sub("", server.command(f"{tool}-save")))
    return [re.sub(r"^#.*|\w+_timer +\S+", "", one, flags=re.MULTILINE) for one in found]


def told(answer: Answer) -> str:
    """What a packet would find, according to the copy."""
    port = answer.to[2] if answer.to else answer.question.port
    match answer.verdict:
        case Verdict.DELIVERED | Verdict.FORWARDED if "do not come back" in answer.reason:
            return "dropped"
        case Verdict.DELIVERED:
            return f"server:{port}" if port in SERVED else "refused"
        case Verdict.FORWARDED:
            return f"container:{port}" if port in CONTAINED else "refused"
        case other:
            return str(other.value)


def compared(world: Internet, unknown: Services = frozenset()) -> tuple[Answer, ...]:
    """What the copy answers to all, which is what their packets find; nothing else changes.

    Of some services it is to say that it does not know.
    """
    server = world.server
    arrivals = list(each(SOURCES, {4: SERVER, 6: SERVER6}, SERVICES))
    before = listed(server)
    answers = server.run(
        ask,
        [
            Question(
                ip_address(one.source), one.protocol, one.port, "", ip_address(one.destination)
            )
            for one in arrivals
        ],
    )
    assert listed(server) == before
    assert answers.unknown == ""
    copied = {one: told(answer) for one, answer in zip(arrivals, answers.answers, strict=True)}
    unseen = [one for one in arrivals if copied[one] == "unknown"]
    assert {(one.protocol, one.port) for one in unseen} == unknown, copied
    arrivals = [one for one in arrivals if one not in unseen]
    places = dict.fromkeys((FRIEND, FRIEND6), world.friend) | dict.fromkeys(
        (STRANGER, STRANGER6), world.stranger
    )
    real = dict(zip(arrivals, outcomes(places, arrivals), strict=True))
    assert {one: copied[one] for one in arrivals} == real
    return answers.answers


@pytest.mark.parametrize(("ruleset", "variant"), CASES)
def test_the_copy_agrees(world: Internet, ruleset: Path, variant: str) -> None:
    load(world.server, ruleset, variant)
    assert all(
        answer.rules or ruleset.stem == "nothing"
        for answer in compared(world)
        if answer.verdict != Verdict.DELIVERED
    )


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
    assert met[STRANGER, 8096] is Verdict.DROPPED
    assert met[FRIEND, 8096] is Verdict.DELIVERED
    assert met[FRIEND, 22] is Verdict.DROPPED


CHAIN: Final = "type filter hook"
TCP_443: Final[Services] = frozenset({("tcp", 443)})
EVERYTHING: Final[Services] = frozenset(SERVICES)
# What decides is no rule, and of which services that is so.
DECIDED_ELSEWHERE: Final = {
    f"chain i {{ {CHAIN} input priority 0; tcp dport 443 numgen random mod 2 0 drop; }}": TCP_443,
    f"chain p {{ {CHAIN} prerouting priority mangle; tcp dport 443 tproxy to :9999 accept; }}": (
        TCP_443
    ),
    f"chain p {{ {CHAIN} prerouting priority raw; tcp dport 443 notrack; }}; chain i {{ {CHAIN} "
    "input priority 0; tcp dport 443 ct state invalid,untracked synproxy; }": TCP_443,
    'ct helper ftp { type "ftp" protocol tcp; }; '
    f'chain p {{ {CHAIN} prerouting priority 0; tcp dport 443 ct helper set "ftp"; }}': frozenset(),
}
# The same by iptables; a program reads queue 3, and none reads queue 4.
BY_IPTABLES: Final = {
    "-A INPUT -p tcp --dport 443 -m statistic --mode random --probability 0.5 -j DROP": TCP_443,
    "-t mangle -A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9999": TCP_443,
    "-A INPUT -p tcp --dport 443 -j SYNPROXY": TCP_443,
    "-A INPUT -j NFQUEUE --queue-num 3": EVERYTHING,
    "-A INPUT -p tcp --dport 443 -j NFQUEUE --queue-num 4": frozenset(),
    "-A INPUT -p tcp --dport 443 -j NFQUEUE --queue-num 4 --queue-bypass": frozenset(),
    "-t raw -A PREROUTING -p tcp --dport 443 -j CT --helper ftp": frozenset(),
}


@pytest.mark.parametrize(("rules", "unknown"), DECIDED_ELSEWHERE.items(), ids=range(4))
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
