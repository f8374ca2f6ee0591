"""Rulesets of all kinds, and what their copies answer beside what real packets find.

`python -m tests.support.agreement` compares all of them and prints a table.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from difflib import unified_diff
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath import PacketVerdict, Question, ask
from tests.support.arrivals import Named, each, outcomes
from tests.support.internet import (
    CONTAINER,
    CONTAINER6,
    FRIEND,
    FRIEND6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
    Internet,
)
from tests.support.terminal import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.packetpath import Answer
    from tests.support.arrivals import Arrival
    from tests.support.netns import Namespace

RULESETS: Final = Path(__file__).parent.parent / "packets" / "rulesets"
SERVED, CONTAINED = (22, 443, 8096), (80, 443)
SERVICES: Final = tuple(
    (protocol, port) for protocol in ("tcp", "udp") for port in (22, 443, 8080, 8096, 8443, 9000)
)
SOURCES: Final = (FRIEND, STRANGER, FRIEND6, STRANGER6)
TOOLS: Final = {
    "nft": ("iptables-nft", "ip6tables-nft"),
    "legacy": ("iptables-legacy", "ip6tables-legacy"),
}
TOGETHER: Final = 8  # in one world, one after the other
_COUNTED: Final = re.compile(
    r"packets \d+ bytes \d+|\[\d+:\d+\]|expires \w+|timeout \d+| ?used \d+ \w*bytes"
)
_PASSING: Final = re.compile(r"^#.*|\w+_timer +\S+", re.MULTILINE)
_LISTED: Final = """nft list ruleset; ipset save; cat /proc/net/ip_tables_names; ip -d address
ip route show table all; ip -6 route show table all; ip rule; ip nexthop
for tool in iptables-legacy ip6tables-legacy; do
 [ -z "$(cat /proc/net/ip_tables_names)" ] || $tool-save
done"""
_CLEARED: Final = """nft flush ruleset
for tool in ip ip6; do for table in $(cat /proc/net/${tool}_tables_names); do
 tables=${tool}tables-legacy; $tables -t $table -F; $tables -t $table -X
 for chain in INPUT FORWARD OUTPUT; do [ $table != filter ] || $tables -P $chain ACCEPT; done
done; done
ipset destroy; conntrack -F 2>/dev/null; true"""


class Case(NamedTuple):
    """A ruleset, and the tool that loads it where there are two."""

    ruleset: Path
    variant: str

    def __str__(self) -> str:
        """As `docker.nft`, or `docker.rules by legacy`."""
        return f"{self.ruleset.name}{' by ' if self.variant else ''}{self.variant}"

    @property
    def stays(self) -> bool:
        """Whether it changes more of its world than what `clear` puts right."""
        return self.ruleset.with_suffix(".ip").exists()


def cases() -> list[Case]:
    """Every ruleset, by every tool that loads it."""
    found = [Case(one, "") for one in sorted(RULESETS.glob("*.nft"))]
    rules = sorted(RULESETS.glob("*.rules"))
    return found + [Case(one, variant) for variant in TOOLS for one in rules]


def groups() -> list[list[Case]]:
    """Cases that share a world: a few each, those of one tool."""
    found = [[one] for one in cases() if one.stays]
    for variant in ("", *TOOLS):
        alike = [one for one in cases() if one.variant == variant and not one.stays]
        found += [alike[at : at + TOGETHER] for at in range(0, len(alike), TOGETHER)]
    return found


@contextmanager
def served_world(owner: int = 0) -> Iterator[Internet]:
    """The server with its services, which are a user's, and the container with its own."""
    with Internet() as net:
        for setting in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
            net.server.sysctl(f"net/{setting}", "0")
            net.container.sysctl(f"net/{setting}", "0")
        assert eventually(lambda: "local 2a02:2e0:3fe:2::1 " in _routes(net.server))
        with (
            Named(net.server, "server", SERVED, owner),
            Named(net.container, "container", CONTAINED),
        ):
            yield net


def _routes(server: Namespace) -> str:
    """Those of IPv6: some come only once the kernel has seen that a link is up."""
    return server.command("ip", "-6", "route", "show", "table", "all")


def load(server: Namespace, ruleset: Path, variant: str) -> None:
    """Give the server a ruleset, and the interfaces and routes it is about."""
    if (routes := ruleset.with_suffix(".ip")).exists():
        server.batch(*routes.read_text().splitlines())
        bridges = ("ip", "link", "show", "type", "bridge")
        assert eventually(lambda: "state UNKNOWN" not in server.command(*bridges))
    if ruleset.suffix == ".nft":
        server.nft(ruleset.read_text())
        return
    if (sets := ruleset.with_suffix(".ipset")).exists():
        server.command("ipset", "restore", stdin=sets.read_text())
    for tool, suffix in zip(TOOLS[variant], (".rules", ".rules6"), strict=True):
        if (rules := ruleset.with_suffix(suffix)).exists():
            server.command(f"{tool}-restore", stdin=rules.read_text())


def clear(server: Namespace) -> None:
    """Take all rules and sets away, and what the server remembers of connections."""
    server.command("sh", "-c", _CLEARED)


def listed(server: Namespace) -> str:
    """All that there is, but for what is counted."""
    return _PASSING.sub("", _COUNTED.sub("", server.command("sh", "-c", _LISTED)))


def told(answer: Answer) -> str:
    """What a packet would find, according to the copy."""
    port = answer.to[2] if answer.to else answer.question.port
    match answer.verdict:
        case PacketVerdict.DELIVERED | PacketVerdict.FORWARDED if "do not arrive" in answer.reason:
            return "dropped"
        case PacketVerdict.DELIVERED:
            return f"server:{port}" if port in SERVED else "refused"
        case PacketVerdict.FORWARDED if answer.to and str(answer.to[1]) not in (
            CONTAINER,
            CONTAINER6,
        ):
            return "dropped"  # no one is there
        case PacketVerdict.FORWARDED:
            return f"container:{port}" if port in CONTAINED else "refused"
        case other:
            return str(other.value)


class Comparison(NamedTuple):
    """What the copy answers, what it says that packets find, and what real ones find."""

    arrivals: Sequence[Arrival]
    answers: tuple[Answer, ...]
    copied: list[str]
    real: list[str]

    @property
    def unknown(self) -> set[tuple[str, int]]:
        """The services of which the copy says that it does not know."""
        pairs = zip(self.arrivals, self.copied, strict=True)
        return {(one.protocol, one.port) for one, said in pairs if said == "unknown"}

    @property
    def wrong(self) -> dict[Arrival, tuple[str, str]]:
        """What is not as the copy says, where it says anything."""
        found = zip(self.arrivals, self.copied, self.real, strict=True)
        return {one: (said, seen) for one, said, seen in found if said not in ("unknown", seen)}


def compare(world: Internet) -> Comparison:
    """Ask a copy of the server about every packet, and send them; nothing else changes."""
    server = world.server
    arrivals = list(each(SOURCES, {4: SERVER, 6: SERVER6}, SERVICES))
    asked = [
        Question(ip_address(one.source), one.protocol, one.port, "", ip_address(one.destination))
        for one in arrivals
    ]
    before = listed(server)
    answers = server.run(ask, asked)
    changed = "\n".join(unified_diff(before.splitlines(), listed(server).splitlines(), n=0))
    assert not changed, changed
    assert answers.unknown == "", answers.unknown
    # Of several uplinks the packets come by one.
    by_question = [
        one
        for one in answers.answers
        if one.question.interface in ("eth0", "br0") or len(answers.answers) == len(asked)
    ]
    assert [one.question.port for one in by_question] == [one.port for one in asked]
    places = dict.fromkeys((FRIEND, FRIEND6), world.friend) | dict.fromkeys(
        (STRANGER, STRANGER6), world.stranger
    )
    copied = [told(one) for one in by_question]
    expected = {n for n, said in enumerate(copied) if said not in ("dropped", "unknown")}
    real = outcomes(places, arrivals, expected)
    return Comparison(arrivals, tuple(by_question), copied, real)


def main() -> None:
    """Print a line for each ruleset."""
    total = wrong = unknown = number = 0
    print("| Ruleset | Packets | Let in | Disagree | Unknown |\n|---|---:|---:|---:|---|")
    for group in groups():
        with served_world() as world:
            for case in group:
                load(world.server, *case)
                done = compare(world)
                clear(world.server)
                number += 1
                total += len(done.real)
                wrong += len(done.wrong)
                unknown += done.copied.count("unknown")
                admitted = sum(":" in one for one in done.real)
                named = ", ".join(f"{port}/{protocol}" for protocol, port in sorted(done.unknown))
                print(f"| {case} | {len(done.real)} | {admitted} | {len(done.wrong)} | {named} |")
                for arrival, (said, seen) in done.wrong.items():
                    print(f"  {arrival}: the copy says {said}, packets {seen}", flush=True)
    print(f"| **{number} rulesets** | {total} | | {wrong} | {unknown} |")


if __name__ == "__main__":
    main()
