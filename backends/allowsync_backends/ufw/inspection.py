"""Judges a snapshot of UFW against the wanted state. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import hosts_of
from allowsync.model.networks import parsed
from allowsync.model.target import Current, Traffic
from allowsync.model.types import BOTH_FAMILIES, Entry, Family
from allowsync.text import counted
from allowsync_backends.ufw import rules_store
from allowsync_backends.ufw.denials import denies_everybody
from allowsync_backends.ufw.foreign_rules import shut_out
from allowsync_backends.ufw.kernel import written
from allowsync_backends.ufw.tuples import ANYWHERE, UfwRule, apart, chain, ports_text, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.common.ports import Port
    from allowsync_backends.ufw.kernel import Kernel
    from allowsync_backends.ufw.rules_file import RuleOwnership, RulesFile
    from allowsync_backends.ufw.rules_reader import UfwSnapshot

INACTIVE = "ufw is not active: its rules have no effect"
BYPASSED = "packets do not come to ufw's rules: its chains are not in the kernel, or not all"
TURN_ON = "turn it on with 'ufw enable', once its rules let yourself in"
SET_UP = (
    "'/lib/ufw/ufw-init flush-all' and then 'ufw reload' set them up anew; that takes out other "
    "rules of iptables, and lets everything in for a moment"
)

OPEN = "ufw lets in whatever no rule is about: the allowlist keeps no one out"
SHUT = "'ufw default deny incoming' keeps others out, once its rules let yourself in"

ADVICE: Final = {INACTIVE: TURN_ON, BYPASSED: SET_UP, OPEN: SHUT}


def current(mine: RuleOwnership, ports: Sequence[Port], seen: UfwSnapshot) -> Current:
    """Return our entries, equal foreign ones, and the faults."""
    entries: list[Entry] = []
    others: set[Network] = set()
    flaws: list[str] = []
    ineffective: dict[Network, str] = {}
    if not seen.settings.enabled:
        flaws.append(INACTIVE)
    elif not seen.in_force:
        flaws.append(BYPASSED)
    elif is_open(mine, ports, seen):
        flaws.append(OPEN)
    for family in (one for one in BOTH_FAMILIES if one in seen.files):
        file = seen.files[family]
        held = _held(mine, file)
        entries += (Entry(network, tuple(sorted(some))) for network, some in held.items())
        others |= _complete(file.foreign(mine), ports) - held.keys()
        ineffective |= _ineffective(mine, file)
        flaws += _file_flaws(mine, _wanted(held, ports), file, family)
        if seen.in_force and family in seen.kernel:
            flaws += _kernel_flaws(mine, ports, file, seen.kernel[family], family)
    obstacles = {flaw: ADVICE[flaw] for flaw in flaws if flaw in ADVICE}
    return Current(
        frozenset(entries),
        frozenset(others),
        tuple(flaws),
        ineffective,
        obstacles=obstacles,
        traffic=_traffic(mine, seen, flaws) if seen.in_force else None,
    )


def is_open(mine: RuleOwnership, ports: Sequence[Port], seen: UfwSnapshot) -> bool:
    """Whether UFW's default lets everyone in to a port, which no rule of UFW denies to everyone."""
    return not mine.route and any(
        kernel.open and not all(_is_denied(seen.files[family], mine, port) for port in ports)
        for family, kernel in seen.kernel.items()
    )


def _is_denied(file: RulesFile, mine: RuleOwnership, port: Port) -> bool:
    tuples = [one.tuple for one in file.blocks if one.tuple is not None]
    everyone = [UfwRule(source, ports_text(port), port.protocol.value) for source in ANYWHERE]
    return any(denies_everybody(one, rule, route=mine.route) for one in tuples for rule in everyone)


def _traffic(mine: RuleOwnership, seen: UfwSnapshot, flaws: Sequence[str]) -> Traffic:
    """Return the packets that our rules admitted: the first of each connection, by UFW's order."""
    found: dict[Network, int] = {}
    for family, kernel in seen.kernel.items():
        ours = {rule for one in seen.files[family].ours(mine) if (rule := mine.rule(one))}
        for rule in ours:
            for network in _parsed(rule.source):
                found[network] = found.get(network, 0) + kernel.counts[rule]
    return Traffic(counts=found, anew=bool(flaws))


def _ineffective(mine: RuleOwnership, file: RulesFile) -> dict[Network, str]:
    """Return our networks that a foreign rule denies before ours is reached."""
    return {
        network: f"rule '{denial}' comes first; delete it, or add it again so that it comes "
        "after the allowlist's"
        for source, denial in shut_out(file, mine).items()
        for network in _parsed(source)
    }


def _held(mine: RuleOwnership, file: RulesFile) -> dict[Network, set[str]]:
    """Return the networks of our rules, with the hosts that the comments name."""
    by_source: dict[str, set[str]] = {}
    for block in file.ours(mine):
        if block.rule is not None and block.tuple is not None:
            hosts = hosts_of(apart(block.tuple.comment)[0], mine.allowlist)
            by_source.setdefault(block.rule.source, set()).update(hosts)
    return {network: hosts for source, hosts in by_source.items() for network in _parsed(source)}


def _parsed(source: str) -> tuple[Network, ...]:
    """Return a network, or none for invalid text."""
    try:
        return (parsed(source),)
    except ValueError:
        return ()


def _complete(rules: frozenset[UfwRule], ports: Sequence[Port]) -> set[Network]:
    """Return the networks that rules admit to every port."""
    found = {network for source in {rule.source for rule in rules} for network in _parsed(source)}
    return {one for one in found if all(rule_of(one, port) in rules for port in ports)}


def _wanted(networks: Iterable[Network], ports: Sequence[Port]) -> set[UfwRule]:
    return {rule_of(network, port) for network in networks for port in ports}


def _file_flaws(
    mine: RuleOwnership, wanted: set[UfwRule], file: RulesFile, family: Family
) -> Iterator[str]:
    found = [mine.rule(block) for block in file.ours(mine)]
    rules = {rule for rule in found if rule is not None}
    foreign = file.foreign(mine)
    missing = wanted - rules - foreign
    if missing:
        yield f"{_rules(len(missing))} missing from {rules_store.path(family)}"
    others = sum(map(mine.is_of_another, file.ours(mine)))
    if others:
        yield f"{_rules(others)} in {rules_store.path(family)} of another configuration"
    wrong = len(found) - len(rules & wanted - foreign)
    if wrong:
        yield f"{_rules(wrong)} in {rules_store.path(family)} not as configured"


def _kernel_flaws(
    mine: RuleOwnership, ports: Sequence[Port], file: RulesFile, held: Kernel, family: Family
) -> Iterator[str]:
    """Report differences between the kernel and the file, as far as they concern us."""
    meant = written(file, chain(family, route=mine.route)).rules
    ours = {rule for block in file.ours(mine) if (rule := mine.rule(block)) is not None}
    missing = sum(held.rules[rule] < meant[rule] for rule in ours)
    if missing:
        yield f"{_rules(missing)} in {rules_store.path(family)} but not in the kernel"
    guarded = {(ports_text(port), port.protocol.value) for port in ports}
    extra = sum(
        count > meant[rule]
        for rule, count in held.rules.items()
        if (rule.ports, rule.protocol) in guarded or rule in ours
    )
    if extra:
        yield f"{_rules(extra)} in the kernel but not in {rules_store.path(family)}"


def _rules(count: int) -> str:
    return f"{counted(count, 'rule is', 'rules are')}"
