"""UFW's chains in the kernel: listings parsed, and scripts made. Pure."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.types import Family
from allowsync.model.value import Value, field
from allowsync_backends.ufw.tuples import UfwRule, chain, match_text, with_width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync_backends.ufw.rules_file import RulesFile

_PREFIXES: Final = {Family.IPV4: "ufw", Family.IPV6: "ufw6"}

# iptables' listing of a rule with only a source, a protocol and ports.
_LISTED: Final = re.compile(
    r"^-A \S+ -s (\S+) -p (tcp|udp) -m (?:multiport --dports|tcp --dport|udp --dport) "
    r"([0-9]+(?::[0-9]+)?)(?: -c ([0-9]+) [0-9]+)? -j ACCEPT$",
    re.MULTILINE,
)
# UFW's text of the same rule.
_WRITTEN: Final = re.compile(
    r"^-A \S+ -p (tcp|udp) (?:-m multiport --dports|--dport) ([0-9]+(?::[0-9]+)?) -s (\S+) "
    r"-j ACCEPT$",
    re.MULTILINE,
)


_HARMLESS: Final = re.compile(r" -j (?:ACCEPT|(?:ufw6?|f2b)-\S+)$")
_DROP: Final = re.compile(r"^\s*-[AI] .*-j (?:DROP|REJECT)\b", re.MULTILINE)


class Kernel(Value):
    """A chain of UFW's user rules in the kernel.

    Attributes:
        rules: The rules with only a source and a port, and the count of each.
        length: The number of all rules.
        leads_here: Whether packets reach the chain at all.
        open: Whether what passes the chain without a decision is accepted for sure.
        counts: The packets that each of those rules has admitted.
    """

    rules: Counter[UfwRule] = field(default_factory=Counter)
    length: int = 0
    leads_here: bool = False
    open: bool = False
    counts: Counter[UfwRule] = field(default_factory=Counter, compare=False)


def entrances(family: Family, *, route: bool) -> tuple[tuple[str, str], ...]:
    """Return the calls from chain to chain, from the kernel's own to that of UFW's user rules."""
    suffix = "forward" if route else "input"
    before = f"{_PREFIXES[family]}-before-{suffix}"
    return (suffix.upper(), before), (before, chain(family, route=route))


def listed(listing: str, *, leads_here: bool, rest_accepted: bool = False) -> Kernel:
    """Parse a chain from the output of `iptables -S`, with counters or without."""
    rules, counts = Counter[UfwRule](), Counter[UfwRule]()
    for source, protocol, ports, packets in _LISTED.findall(listing):
        rule = UfwRule(source, ports, protocol)
        rules[rule] += 1
        counts[rule] += int(packets or 0)
    length = listing.count("\n-A ") + listing.startswith("-A ")
    return Kernel(rules, length, leads_here, rest_accepted, counts)


def accepts_rest(listing: str) -> bool:
    """Whether the kernel's own chain accepts what UFW's chains did not decide.

    A rule of another origin may drop it: where there is any but a jump to Fail2ban's bans, it is
    not certain.
    """
    rules = [line for line in listing.splitlines() if line.startswith("-A ")]
    return "-P INPUT ACCEPT" in listing.splitlines() and all(map(_HARMLESS.search, rules))


def drops(rules: str) -> bool:
    """Whether a file of rules, such as `after.rules`, drops or rejects anything."""
    return bool(_DROP.search(rules))


def leads(listing: str, start: str, end: str) -> bool:
    """Whether a chain passes all its packets that come that far on to another."""
    return f"-A {start} -j {end}" in listing.splitlines()


def written(file: RulesFile, name: str) -> Kernel:
    """Return a chain as the kernel would hold it after loading a file."""
    start = f"-A {name} "
    lines = [line for line in file.text.split("\n") if line.startswith(start)]
    rules = Counter(
        UfwRule(_network(source), ports, protocol)
        for protocol, ports, source in _WRITTEN.findall("\n".join(lines))
    )
    return Kernel(rules, len(lines), leads_here=True)


def order(file: RulesFile, name: str) -> list[UfwRule | None]:
    """Return the rules of a chain in a file, in order; None for one of another shape."""
    start = f"-A {name} "
    lines = (line for line in file.text.split("\n") if line.startswith(start))
    return [_rule(_WRITTEN.match(line)) for line in lines]


def _rule(match: re.Match[str] | None) -> UfwRule | None:
    return None if match is None else UfwRule(_network(match[3]), match[2], match[1])


def _network(source: str) -> str:
    """Return a source in CIDR form. UFW keeps an IPv6 network's host bits, the kernel does not."""
    if "/" not in source or "." in source:
        return with_width(source)
    try:
        return str(ip_network(source, strict=False))
    except ValueError:
        return source


def script(lines: Iterable[str]) -> str:
    """Return commands on one chain as one transaction of `iptables-restore -n`."""
    return "".join(("*filter\n", *(f"{line}\n" for line in lines), "COMMIT\n"))


def added(name: str, rules: Iterable[UfwRule]) -> str:
    """Return the script that appends rules to a chain."""
    return script(f"-A {name} {match_text(rule)}" for rule in rules)


def deleted(name: str, rules: Iterable[UfwRule]) -> str:
    """Return the script that deletes rules from a chain, each as often as it is named."""
    return script(f"-D {name} {match_text(rule)}" for rule in rules)
