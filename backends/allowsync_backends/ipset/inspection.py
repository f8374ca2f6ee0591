"""Judges the output of `iptables -S` against the wanted gate. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Effect
from allowsync.model.value import Value, field
from allowsync_backends.ipset.rules import PARENTS, IpsetGate
from allowsync_backends.ipset.sets import IpsetListingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.model.types import Family

# Targets that end a packet's traversal of the table without dropping it.
_ACCEPTING: Final = {"ACCEPT", "QUEUE", "NFQUEUE", "TPROXY"}


class Table(Value):
    """The chains of a table.

    Attributes:
        policies: The policy of each built-in chain.
        chains: The rules of each chain, in order, as printed.
    """

    policies: dict[str, str] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)


def table(listing: str) -> Table:
    """Parse the output of `iptables -S`.

    Raises:
        IpsetListingError: It is no listing, or not a whole one.
    """
    found = Table()
    for line in listing.splitlines():
        words = line.split(" ", 2)
        match words:
            case ["-P", chain, policy]:
                found.policies[chain] = policy.split(" ")[0]
                found.chains[chain] = []
            case ["-N", chain]:
                found.chains[chain] = []
            case ["-A", chain, _] if chain in found.chains:
                found.chains[chain].append(line)
            case _ if not line or line.startswith("#"):
                continue
            case _:
                raise IpsetListingError(f"iptables printed something that is no rule: {line[:60]}")
    if not found.policies:
        raise IpsetListingError("iptables listed no chain")
    return found


def hooks(gate: IpsetGate, parent: str, found: Table) -> tuple[str, ...]:
    """Return the rules of a parent that lead to our chain, as printed."""
    chain = gate.chain(parent)
    return tuple(rule for rule in found.chains.get(parent, ()) if goes_to(rule) == chain)


def astray(gate: IpsetGate, found: Table) -> dict[str, tuple[str, ...]]:
    """Return the rules that lead to our chains, of each parent with a fault in them."""
    return {
        parent: hooks(gate, parent, found)
        for parent in PARENTS
        if any(_hook_flaws(gate, parent, found))
    }


def effect(gate: IpsetGate, found: Table) -> Effect | None:
    """Return our chains' effect on the sets; None where no rule of them drops by one."""
    rules = (rule for parent in PARENTS for rule in found.chains.get(gate.chain(parent), ()))
    by_set = [rule for rule in rules if "--match-set" in rule and goes_to(rule) == "DROP"]
    if not by_set:
        return None
    return Effect.ALLOW if any("! --match-set" in one for one in by_set) else Effect.DENY


def chain_flaws(gate: IpsetGate, family: Family, found: Table) -> Iterator[str]:
    """Report faults of our chains, in words."""
    for parent in PARENTS:
        yield from _chain_flaws(gate, parent, family, found)


def _chain_flaws(gate: IpsetGate, parent: str, family: Family, found: Table) -> Iterator[str]:
    chain = gate.chain(parent)
    if chain not in found.chains:
        yield f"chain {chain} does not exist"
        return
    there = [_meaning(rule) for rule in found.chains[chain]]
    meant = [_meaning(rule) for rule in gate.rules(parent, family)]
    missing = [rule for rule in meant if rule not in there]
    foreign = [rule for rule in there if rule not in meant]
    if missing:
        yield f"a rule of chain {chain} is missing"
    if foreign or len(there) > len(meant):
        yield f"chain {chain} has a rule that does not belong there"
    elif not missing and there != meant:
        yield f"the rules of chain {chain} are in another order"


def hook_flaws(gate: IpsetGate, found: Table) -> Iterator[str]:
    """Report faults of the rules that lead to our chains, in words."""
    for parent in PARENTS:
        yield from _hook_flaws(gate, parent, found)


def _hook_flaws(gate: IpsetGate, parent: str, found: Table) -> Iterator[str]:
    chain, there = gate.chain(parent), hooks(gate, parent, found)
    if not there:
        yield f"nothing leads to chain {chain}"
        return
    if len(there) > 1:
        yield f"more than one rule leads to chain {chain}"
    if any(_meaning(rule) != _meaning(gate.hook(parent)) for rule in there):
        yield f"the rule that leads to chain {chain} says something else"
    rules = found.chains[parent]
    if any(_may_accept(rule, found, frozenset()) for rule in rules[: rules.index(there[0])]):
        yield f"a rule before the one that leads to chain {chain} may let strangers pass it"


def goes_to(rule: str) -> str:
    """Return the target of a rule, or the chain it jumps to; empty when it has none."""
    words = words_of(rule)
    for option in ("-j", "-g"):
        if option in words[:-1]:
            return words[words.index(option) + 1]
    return ""


def _may_accept(rule: str, found: Table, seen: frozenset[str]) -> bool:
    """Whether a rule, or a chain it jumps to, ends a packet's traversal without a drop."""
    target = goes_to(rule)
    if target in _ACCEPTING:
        return True
    if target not in found.chains or target in seen:
        return False
    return any(_may_accept(one, found, seen | {target}) for one in found.chains[target])


def _meaning(rule: str) -> Sequence[str]:
    """Return the parts of a rule that all versions of iptables print alike.

    They print matches in another order, and name modules that others leave out.
    """
    words = iter(words_of(rule))
    parts: list[str] = []
    for word in words:
        if word == "-m":
            next(words, "")
        elif word == "!":
            parts.append("!" + next(words, ""))
        elif word.startswith("-") or not parts:
            parts.append(word)
        else:
            parts[-1] += " " + word
    return sorted(parts)


def words_of(rule: str) -> list[str]:
    """Return the words of a rule; a comment with spaces is one."""
    try:
        return shlex.split(rule)
    except ValueError:
        return rule.split()
