"""A copy of the packet filter answers what real packets find, whatever the ruleset looks like."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.packetpath import Question, Verdict, ask
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
        with Named(net.server, "server", SERVED), Named(net.container, "container", CONTAINED):
            yield net


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


def compared(world: Internet) -> tuple[Answer, ...]:
    """What the copy answers to all, which is what their packets find; nothing else changes."""
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
    places = dict.fromkeys((FRIEND, FRIEND6), world.friend) | dict.fromkeys(
        (STRANGER, STRANGER6), world.stranger
    )
    real = dict(zip(arrivals, outcomes(places, arrivals), strict=True))
    copied = {one: told(answer) for one, answer in zip(arrivals, answers.answers, strict=True)}
    assert copied == real
    return answers.answers


@pytest.mark.parametrize(("ruleset", "variant"), CASES)
def test_the_copy_agrees(world: Internet, ruleset: Path, variant: str) -> None:
    load(world.server, ruleset, variant)
    assert all(
        answer.rules or ruleset.stem == "nothing"
        for answer in compared(world)
        if answer.verdict != Verdict.DELIVERED
    )


def test_the_copy_agrees_on_a_list_of_a_hundred_thousand(world: Internet) -> None:
    banned = (f"{60 + n // 65536}.{n // 256 % 256}.{n % 256}.0/25" for n in range(100_000))
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
