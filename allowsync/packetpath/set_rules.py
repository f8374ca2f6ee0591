"""Rules that look into a set: the ports they guard, and the hook where they see packets.

Such rules are the administrator's own, so the purpose of a set is known only from them. Their
effect is found by packets; this reads only the ports to ask about, and the direction.
"""

from __future__ import annotations

import re
import struct
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath import legacy, nftables
from allowsync.packetpath.isolation import Tools
from allowsync.packetpath.netlink import attributes, first, given, native, number, text
from allowsync.packetpath.packet import PROTOCOLS
from allowsync.packetpath.translation import chains_from, keys_of, ports_of_match, translated_ports

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from allowsync.packetpath.netlink import Attributes
    from allowsync.packetpath.nftables import Expression, KernelRuleset

    Name: TypeAlias = tuple[str, ...]  # family, table and set; of ipset the set alone

_ARRIVING, _LOCAL, _FORWARD = 0, 1, 2  # netfilter's hooks
_HOOKS: Final = {_LOCAL: "INPUT", _FORWARD: "FORWARD"}
_FAMILIES: Final = (nftables.INET, nftables.IPV4, nftables.IPV6)
_PORT_LOADED: Final = (2, 2, 2)  # of the transport header the destination port
_ORIGINAL_PORT: Final = 12  # NFT_CT_PROTO_DST
_ORIGINAL_PORT_AT: Final = 140  # in xt_conntrack_mtinfo
_EVERY: Final = (0, 0xFFFF)
_LEGACY_CHAIN: Final = re.compile(r"^-A (\S+) (.*)", re.MULTILINE)
_LEGACY_LEADS: Final = re.compile(r"-[jg] (\S+)")
_LEGACY_PORTS: Final = re.compile(r" --(?:dports?|ctorigdstport) (\S+)")
_LEGACY_SET: Final = re.compile(r"--match-set (\S+)")
_LEGACY_PROTOCOL: Final = re.compile(r"-p (\S+)")


class SetPort(NamedTuple):
    """A port at which a rule looks into a set.

    Attributes:
        protocol: `tcp` or `udp`.
        port: Its number.
        forwarded: Whether the rule sees forwarded packets, and not those for this machine.
    """

    protocol: str
    port: int
    forwarded: bool


class _Use(NamedTuple):
    """A rule that looks into a set; without ports it covers all of them."""

    name: Name
    forwarded: bool
    protocols: Collection[str]
    ports: Collection[int]


def ports_of_sets(wanted: Collection[Name]) -> Mapping[Name, frozenset[SetPort]]:
    """Return the ports at which rules of this machine look into some sets.

    A rule without ports for forwarded packets covers each port that address translation names; one
    for the machine's own ports yields none.

    Raises:
        PacketsUnavailable: The rules cannot be read.
    """
    ruleset = nftables.list_ruleset()
    tables = legacy.saved_tables(Tools())
    uses = [*_in_nftables(ruleset, legacy.set_names()), *_in_legacy(tables)]
    translated = translated_ports(ruleset, tables)
    found: dict[Name, set[SetPort]] = {}
    for one in uses:
        if one.name in wanted:
            ports = one.ports or (translated if one.forwarded else ())
            pairs = product(one.protocols or PROTOCOLS, ports)
            found.setdefault(one.name, set()).update(
                SetPort(*pair, one.forwarded) for pair in pairs
            )
    return {name: frozenset(several) for name, several in found.items()}


def _in_nftables(ruleset: KernelRuleset, numbers: Mapping[int, str]) -> Iterator[_Use]:
    chains = {hook: chains_from(ruleset, partial(_is_met, hook)) for hook in _HOOKS}
    for family, held in ruleset.rules:
        steps = nftables.expressions(held)
        table = given(held, 1)
        names = [*_looked_into(steps, (family, table)), *_matched(steps, numbers)]
        for hook, reached in chains.items() if names else ():
            if family in _FAMILIES and (family, table, given(held, 2)) in reached:
                ports = {one for one in _ports(ruleset, (family, table), steps) if one}
                for name in names:
                    yield _Use(name, hook == _FORWARD, _protocols(steps), ports)


def _is_met(hook: int, chain: Attributes) -> bool:
    """Whether packets of a hook meet a chain first, which may be before that hook."""
    met = number(first(attributes(given(chain, 4)), 1)) if first(chain, 4) else -1
    return met in (_ARRIVING, hook) and text(first(chain, 7)) != "nat"


def _looked_into(steps: Iterable[Expression], table: tuple[int, bytes]) -> Iterator[Name]:
    for one in steps:
        if one.kind == "lookup":
            yield nftables.FAMILIES.get(table[0], ""), text(table[1]), text(first(one.held, 1))


def _matched(steps: Iterable[Expression], numbers: Mapping[int, str]) -> Iterator[Name]:
    for one in steps:
        if one.kind == "match" and text(first(one.held, 1)) == "set":
            yield (numbers.get(native(given(one.held, 3)[:2]), ""),)


def _protocols(steps: Iterable[Expression]) -> list[str]:
    values = {given(attributes(given(one.held, 3)), 1) for one in steps if one.kind == "cmp"}
    matches = {text(first(one.held, 1)) for one in steps if one.kind == "match"}
    return [name for name, code in PROTOCOLS.items() if bytes([code]) in values or name in matches]


def _ports(
    ruleset: KernelRuleset, table: tuple[int, bytes], steps: Iterable[Expression]
) -> Iterator[int]:
    """Yield the destination ports that a rule compares with; of a range its ends."""
    is_port = False
    for one in steps:
        if one.kind == "match":
            yield from _in_match(text(first(one.held, 1)), given(one.held, 3))
        elif one.kind in ("cmp", "range") and is_port:
            for kind in (3, 4) if one.kind == "range" else (3,):
                yield number(given(attributes(given(one.held, kind)), 1))
        elif one.kind == "lookup" and is_port:
            yield from map(number, keys_of(ruleset, (*table, given(one.held, 1))))
        else:
            is_port = _loads_port(one)


def _loads_port(step: Expression) -> bool:
    if step.kind == "ct":
        return number(first(step.held, 2)) == _ORIGINAL_PORT
    if step.kind != "payload":
        return False
    return tuple(number(first(step.held, kind)) for kind in (2, 3, 4)) == _PORT_LOADED


def _in_match(name: str, info: bytes) -> Iterable[int]:
    if name == "conntrack" and len(info) > _ORIGINAL_PORT_AT + 1:
        return struct.unpack_from("=H", info, _ORIGINAL_PORT_AT)
    ports = ports_of_match(name, info)
    return () if ports == _EVERY else ports


def _in_legacy(tables: Mapping[int, str]) -> Iterator[_Use]:
    for saved in tables.values():
        for part in saved.split("COMMIT"):
            if "*nat\n" not in part:
                yield from _in_legacy_table(_LEGACY_CHAIN.findall(part))


def _in_legacy_table(rules: list[tuple[str, str]]) -> Iterator[_Use]:
    for hook, begin in _HOOKS.items():
        reached = {begin, "PREROUTING"}
        while onward := set(_led_to(rules, reached)) - reached:
            reached |= onward
        for chain, rule in rules:
            for name in _LEGACY_SET.findall(rule) if chain in reached else ():
                numbers = re.findall(r"\d+", " ".join(_LEGACY_PORTS.findall(rule)))
                protocols = [one for one in _LEGACY_PROTOCOL.findall(rule) if one in PROTOCOLS]
                yield _Use((name,), hook == _FORWARD, protocols, set(map(int, numbers)))


def _led_to(rules: Iterable[tuple[str, str]], chains: Collection[str]) -> Iterator[str]:
    for chain, rule in rules:
        yield from _LEGACY_LEADS.findall(rule) if chain in chains else ()
