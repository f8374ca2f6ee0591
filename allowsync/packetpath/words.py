"""Rules in words: nft's for its own rules, iptables' for the others."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.packetpath import legacy, nftables
from allowsync.packetpath.isolation import enter, new_network
from allowsync.packetpath.netlink import NETFILTER, Netlink, attributes, first, number, text
from allowsync.packetpath.nftables import FAMILIES, INET, IPV4, IPV6
from allowsync.packetpath.question import PacketsUnavailable
from allowsync.packetpath.trace import DROP, POLICY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.packetpath.copy import Copy
    from allowsync.packetpath.nftables import Expression
    from allowsync.packetpath.trace import LegacyEvent, TraceEvent

_HANDLE: Final = re.compile(r" # handle \d+$")
_HEAD: Final = re.compile(r"\s*(table|chain) ")
_UNKNOWN: Final = "a rule that could not be listed"

Place: TypeAlias = tuple[int, str, str]  # family or version of IP, table, chain


class Words:
    """Prints the rules that packets met. Made when the copy is complete."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._words_network: int | None = None
        self._positions: dict[tuple[int, str, str, int], int] = {}
        self._texts: dict[Place, list[str]] = {}
        self._legacy: dict[Place, list[str]] = {}
        self._rules: dict[Place, list[Sequence[Expression]]] = {}
        self._tables = {
            (one.family, text(first(one.held, 1))) for one in copy.original.ruleset.tables
        }
        self._number_rules()

    def _number_rules(self) -> None:
        """Number the rules of each chain by their handles in the copy."""
        counted: Counter[Place] = Counter()
        for one in copied_rules():
            held = attributes(one[4:])
            key = one[0], text(first(held, 1)), text(first(held, 2))
            counted[key] += 1
            self._positions[*key, number(first(held, 3))] = counted[key]
        # The machine's own rules: the copy left out some of their steps.
        for family, held in self._copy.original.ruleset.rules:
            key = family, text(first(held, 1)), text(first(held, 2))
            self._rules.setdefault(key, []).append(nftables.expressions(held))

    def family(self, told: TraceEvent) -> int:
        """Return the family of an event's table: a hook of ip may belong to a table of inet."""
        if told.handle:
            key = told.family, told.table, told.chain, told.handle
            return told.family if key in self._positions else INET
        return told.family if (told.family, told.table) in self._tables else INET

    def place(self, told: TraceEvent) -> Place:
        """Return the chain that a packet met."""
        return self.family(told), told.table, told.chain

    def steps(self, told: TraceEvent) -> Sequence[Expression]:
        """Return the steps of the rule that a packet met."""
        key = self.place(told)
        position = self._positions.get((*key, told.handle))
        return self._rules[key][position - 1] if position else ()

    def chain(self, place: Place) -> Sequence[Sequence[Expression]]:
        """Return all rules of a chain."""
        return self._rules.get(place, ())

    def of(self, told: TraceEvent) -> str:
        """Return a rule or policy of nftables in words, after its table and chain."""
        family = self.family(told)
        place = f"{FAMILIES.get(family, '?')} {told.table} {told.chain}"
        if told.kind == POLICY:
            return f"{place}: policy {'drop' if told.verdict == DROP else 'accept'}"
        position = self._positions.get((family, told.table, told.chain, told.handle))
        lines = self._lines(family, told.table, told.chain)
        known = position is not None and position <= len(lines)
        return f"{place}: {lines[position - 1] if known and position else _UNKNOWN}"

    def legacy_chain(self, place: Place) -> list[str]:
        """Return a chain of iptables-legacy, in words: the machine's own."""
        if place not in self._legacy:
            version, table, chain = place
            saved = self._copy.original.tables.get(version, "")
            self._legacy[place] = legacy.chain_of(saved, table, chain)
        return self._legacy[place]

    def of_legacy(self, told: LegacyEvent) -> str:
        """Return a rule or policy of iptables-legacy in words, after its table and chain."""
        tool = legacy.TOOLS[told.packet.version]
        lines = self.legacy_chain(legacy_place(told))
        rules = [one for one in lines if one.startswith("-A")]
        place = f"{tool} {told.table} {told.chain}"
        if told.position <= len(rules):  # the kernel reports a rule without matches as a policy
            return f"{place}: {rules[told.position - 1].removeprefix(f'-A {told.chain} ')}"
        if told.kind == "policy":
            return f"{place}: policy {lines[0].split()[-1]}"
        return f"{place}: {told.kind}"

    def _lines(self, family: int, table: str, chain: str) -> list[str]:
        """Return the rules of a chain in words."""
        key = family, table, chain
        if key not in self._texts:
            extended = any(
                step.kind in ("match", "target")
                for rule in self._rules.get(key, ())
                for step in rule
            )
            lines = self._by_iptables(family, table, chain) if extended else []
            self._texts[key] = lines or self._by_nft(family, table, chain)
        return self._texts[key]

    def _by_iptables(self, family: int, table: str, chain: str) -> list[str]:
        tool = {IPV4: "iptables-nft", IPV6: "ip6tables-nft"}.get(family)
        if tool is None:
            return []
        try:
            listed = self._copy.tools.run(tool, "-t", table, "-S", chain)
        except PacketsUnavailable:  # rules of nft among them
            return []
        head = f"-A {chain} "
        return [one.removeprefix(head) for one in listed.splitlines() if one.startswith("-A")]

    def _by_nft(self, family: int, table: str, chain: str) -> list[str]:
        """List rules in a namespace that holds them alone, with anonymous sets anonymous."""
        if self._words_network is None:
            self._words_network = new_network()
            legacy.load_sets(self._copy.original.sets, self._copy.tools, elements=False)
            nftables.load_for_words(self._copy.original.ruleset)
        enter(self._words_network)
        argv = ("nft", "-a", "-t", "list", "chain", FAMILIES[family], table, chain)
        try:
            listed = self._copy.tools.run(*argv).splitlines()
        except PacketsUnavailable:
            listed = []
        finally:
            enter(self._copy.network)
        return [
            _HANDLE.sub("", one.strip())
            for one in listed
            if _HANDLE.search(one) and not _HEAD.match(one)
        ]


def legacy_place(told: LegacyEvent) -> Place:
    """Return the chain of iptables-legacy that a packet met."""
    return told.packet.version, told.table, told.chain


def copied_rules() -> list[bytes]:
    """Return the rules of nftables in the current network namespace."""
    netlink = Netlink(NETFILTER)
    try:
        return netlink.dump(nftables.DUMP | 7, nftables.header(0))
    finally:
        netlink.close()
