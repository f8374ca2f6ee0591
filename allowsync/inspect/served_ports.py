"""Servers that check an allowlist themselves: whether its hosts reach their ports."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from allowsync.inspect.guarded_packets import questions, translated
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.inspect.layers import declared
from allowsync.inspect.reachability import (
    IN,
    OUT,
    address_in,
    as_friend,
    by_rules,
    named_entry,
    named_rules,
    some,
)
from allowsync.inspect.trusted_proxies import dropped_by_gates
from allowsync.model.target import Finding, Guard, PortRange, Severity
from allowsync.model.value import replace
from allowsync.system.owner import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from allowsync.config.settings import Config
    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.reachability import Address
    from allowsync.inspect.status import TargetStatus
    from allowsync.model.types import Entry, Network
    from allowsync.packetpath.question import Answer, Question

_MOST_TRANSLATED: Final = 4  # hosts of a server that ask for each port that translation names


def served(config: Config, held: Iterable[TargetStatus]) -> tuple[GuardedTarget, ...]:
    """The servers that clients reach directly, each with its ports and entries.

    Strangers may reach these ports: the server refuses them. Reading servers and trying packets
    takes programs that only root may run without a password.
    """
    if os.geteuid() != ROOT:
        return ()
    known = {one.target: one for one in held if one.readable}
    return tuple(
        GuardedTarget(target.name, _at(proxies.ports), known[target.name].entries)
        for _, target, proxies in declared(config, lambda one: one.trusted_proxies)
        if target.name in known and proxies.ports and not proxies.networks
    )


def _at(ports: Iterable[int]) -> Guard:
    return Guard(tuple(PortRange(one, one, "tcp") for one in dict.fromkeys(ports)))


def untold(config: Config, server: GuardedTarget, lacking: Collection[Network]) -> GuardedTarget:
    """A server without the entries that other findings cover.

    Args:
        config: The configuration, with the gates that drop hosts.
        server: The server.
        lacking: The networks that some target lacks.
    """
    hosts = {name for entry in server.entries for name in entry.hosts if name in config.hosts}
    told = dropped_by_gates(config, hosts, [one.first for one in server.guard.ports])
    entries = (one for one in server.entries if not one.hosts or set(one.hosts) - told.keys())
    return replace(server, entries=tuple(one for one in entries if one.network not in lacking))


def about_served(servers: Iterable[GuardedTarget]) -> Iterator[Question]:
    """Questions whether a server's hosts reach it, at its ports or by ports that lead there."""
    for one in servers:
        for position, entry in enumerate(one.friends):
            source = address_in(entry.network)
            yield from questions(source, one.guard)
            if position < _MOST_TRANSLATED:
                yield from translated(source, one.guard)


def stopped_before(
    server: GuardedTarget, source: Address, answers: PacketAnswers
) -> tuple[Answer, ...]:
    """The answers to an address's packets where none reaches a port of a server; else none.

    None as well where no program listens at a port, or no rule decided.
    """
    met = tuple(map(as_friend, answers.to(questions(source, server.guard))))
    stopped = all(one.verdict in OUT and one.heard for one in met)
    return met if stopped and any(map(named_rules, met)) else ()


def unreached(
    servers: Iterable[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Hosts that a server admits and whose packets do not arrive; one finding for each rule."""
    for one in servers:
        if is_reached_otherwise(one, map(_source, one.friends), answers):
            continue
        alike: dict[str, list[tuple[Entry, tuple[Answer, ...]]]] = {}
        for entry in one.friends:
            if met := stopped_before(one, _source(entry), answers):
                alike.setdefault(by_rules(met), []).append((entry, met))
        for rules, several in alike.items():
            yield one.name, _finding(one, rules, [entry for entry, _ in several])


def _source(entry: Entry) -> Address:
    return address_in(entry.network)


def is_reached_otherwise(
    server: GuardedTarget, sources: Iterable[Address], answers: PacketAnswers
) -> bool:
    """Whether another port leads to one of a server, as a redirected one."""
    return any(_redirected(server, sources, answers))


def _redirected(
    server: GuardedTarget, sources: Iterable[Address], answers: PacketAnswers
) -> Iterator[str]:
    """The ports that lead to one of a server."""
    ports = {one.first for one in server.guard.ports}
    for source in sources:
        for one in answers.to(translated(source, server.guard)):
            if one.verdict in IN and one.to is not None and one.to[2] in ports:
                yield f"{one.question.port}/{one.question.protocol}"


def listening(
    servers: Iterable[GuardedTarget], targets: Iterable[GuardedTarget], answers: PacketAnswers
) -> dict[str, list[str]]:
    """The unguarded ports where servers of an allowlist listen, as text, by allowlist."""
    guarded = tuple(targets)
    found: dict[str, list[str]] = {}
    for one in servers:
        allowlist = one.name.partition("/")[0]
        sources = tuple(map(_source, one.friends))
        asked = (ask for source in sources for ask in questions(source, one.guard))
        ports = {met.question.port: None for met in answers.to(asked) if met.heard}
        beside = [f"{port}/tcp" for port in ports if not _is_guarded(port, allowlist, guarded)]
        others = dict.fromkeys(_redirected(one, sources, answers))
        verb = "is" if len(others) == 1 else "are"
        leads = f", where {some(others)} {verb} redirected" if others else ""
        if beside:
            found.setdefault(allowlist, []).append(f"{one.name} at {some(beside)}{leads}")
    return found


def _is_guarded(port: int, allowlist: str, targets: Iterable[GuardedTarget]) -> bool:
    """Whether a target of an allowlist guards a TCP port."""
    return any(
        at.protocol == "tcp" and at.first <= port <= at.last
        for one in targets
        if one.name.partition("/")[0] == allowlist
        for at in one.guard.ports
    )


def _finding(server: GuardedTarget, rules: str, entries: Sequence[Entry]) -> Finding:
    whose = some(map(named_entry, entries))
    ports = some(map(str, server.guard.ports))
    what = f"lets in {whose}, but packets from there do not get in at {ports}{rules}"
    advice = f"let that rule accept {ports}, or put one before it; the server refuses others"
    return Finding(Severity.WARNING, what, advice)
