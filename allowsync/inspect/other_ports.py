"""Unguarded ports that lead to the service behind a guarded one. Pure.

A gate stands before address translation, so it knows the requested port. Another port that is
translated to the same end bypasses it, and so does an address of the machine behind, as over
IPv6, or a translated address that belongs to no interface of this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.inspect.guarded_packets import behind, met, questions, translated
from allowsync.inspect.guarded_target import strangers
from allowsync.inspect.reachability import IN, address_in, by_rules, some
from allowsync.model.target import Finding, Severity
from allowsync.model.value import replace
from allowsync.packetpath.question import Aim, PacketVerdict, Question, is_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget
    from allowsync.model.target import Guard, PortRange
    from allowsync.packetpath.question import Answer

    Address: TypeAlias = IPv4Address | IPv6Address
    End: TypeAlias = tuple[str, int]  # hardware address or address; "" for this machine


_FORWARD: Final = "restrict access where packets are forwarded: a gate is for this machine's own"


def about_other_ports(targets: Sequence[GuardedTarget]) -> Iterator[Question]:
    """Questions where guarded ports lead, and where translated ports lead strangers."""
    for one in _gates(targets):
        for friend in _friends(one):
            yield from questions(friend, one.guard)
        for source in strangers(targets):
            yield from _past(source, one.guard)
            for port in _unguarded_by_udp(one, targets):
                yield Question(source, "udp", port.first)


def other_openings(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Ports by which strangers bypass a target, for each guarded port."""
    sources = strangers(targets)
    for one in _gates(targets):
        asked = [ask for source in sources for ask in _past(source, one.guard)]
        own = {
            answer.question.destination
            for source in sources
            for answer in answers.to(questions(source, one.guard))
        }
        found = [answer for answer in answers.to(asked) if _passes_by(answer, one, own)]
        for port in one.guard.ports:
            ends = set(_ends(one, port, answers))
            same = [way for way in found if _leads_to(way, port, ends, answers.neighbours)]
            if same:
                yield one.name, _opening(port, same)
        for port in _unguarded_by_udp(one, targets):
            asked = [Question(source, "udp", port.first) for source in sources]
            ends = set(_ends(one, port, answers))
            given = [way for way in answers.to(asked) if way.verdict in IN]
            served = [way for way in given if _serves_the_same(way, ends, answers)]
            if served:
                yield one.name, _by_udp(port, served)


def _past(source: Address, guard: Guard) -> Iterator[Question]:
    """Questions whether an address gets past a gate, at ports that translation leads to as well."""
    yield from translated(source, guard)
    yield from behind(source, guard)
    for one in translated(source, guard):
        yield replace(one, aim=Aim.BEHIND)


def _unguarded_by_udp(
    target: GuardedTarget, targets: Sequence[GuardedTarget]
) -> Iterator[PortRange]:
    """Ports guarded for TCP alone: HTTP/3 and DNS are served over UDP as well."""
    for port in target.guard.ports:
        same = port._replace(protocol="udp")
        guarded = (other for one in targets for other in one.guard.ports)
        is_one = port.protocol == "tcp" and port.first == port.last
        if is_one and not any(same.shared(other) for other in guarded):
            yield port


def _serves_the_same(answer: Answer, ends: set[End], answers: PacketAnswers) -> bool:
    machine, number = _end(answer, answers.neighbours)
    return (machine, number) in ends and (bool(machine) or number in answers.served_twice)


def _by_udp(port: PortRange, found: Sequence[Answer]) -> Finding:
    versions = sorted({one.question.source.version for one in found})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some({one.question.interface: None for one in found})
    other = f"{port.first}/udp"
    return Finding(
        Severity.WARNING,
        f"strangers reach {other} over {over} by {interfaces}, where the program behind {port} "
        f"answers as well, as with HTTP/3{by_rules(found)}",
        f"guard {other} as well, or have the program not listen there",
    )


def _gates(targets: Sequence[GuardedTarget]) -> Iterator[GuardedTarget]:
    """Targets that match the requested port; at forwarding targets each port is asked anyway."""
    return (one for one in targets if not one.guard.forwarded and not one.assumed)


def _friends(target: GuardedTarget) -> Iterator[Address]:
    """One host of the allowlist for each family: others reach the same end."""
    yield from {
        entry.network.version: address_in(entry.network) for entry in target.friends
    }.values()


def _passes_by(answer: Answer, target: GuardedTarget, own: set[Address | None]) -> bool:
    """Whether a packet gets in that is not for a guarded port of this machine's addresses."""
    asked = answer.question
    if asked.aim is Aim.BEHIND:
        to = asked.destination
        return answer.verdict in IN and to is not None and not is_private(to)
    if asked.destination not in own and not _is_translated(answer):
        return False
    return answer.verdict in IN and not any(
        asked.destination in own
        and asked.protocol == one.protocol
        and one.first <= asked.port <= one.last
        for one in target.guard.ports
    )


def _is_translated(answer: Answer) -> bool:
    asked = answer.question.destination, answer.question.port
    return answer.to is not None and answer.to[1:] != asked


def _ends(target: GuardedTarget, port: PortRange, answers: PacketAnswers) -> Iterator[End]:
    """The ends that hosts of the allowlist reach by a guarded port."""
    for source in _friends(target):
        given = met(answers, source, target.guard, port)
        yield from (_end(one, answers.neighbours) for one in given if one.verdict in IN)


def _end(answer: Answer, neighbours: Mapping[Address, str]) -> End:
    """The destination of a packet; several addresses of one machine are one end."""
    if answer.to is None:
        return "", answer.question.port
    _, address, port = answer.to
    if answer.verdict is not PacketVerdict.FORWARDED:
        return "", port
    return neighbours.get(address, str(address)), port


def _leads_to(
    answer: Answer, port: PortRange, ends: set[End], neighbours: Mapping[Address, str]
) -> bool:
    if answer.question.protocol != port.protocol:
        return False
    asked = answer.question
    if asked.aim is Aim.TRANSLATED and port.first <= asked.port <= port.last:
        return True  # at a translated address that belongs to no interface of this machine
    machine, number = _end(answer, neighbours)
    return (machine, number) in ends or (not machine and port.first <= number <= port.last)


def _opening(port: PortRange, found: Sequence[Answer]) -> Finding:
    others = some({_named(one.question, port): None for one in found})
    versions = sorted({one.question.source.version for one in found})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some({one.question.interface: None for one in found})
    ends = {f"{one.to[1]} port {one.to[2]}": None for one in found if one.to}
    if all(one.question.aim is Aim.BEHIND for one in found):
        leads = f"the machine that {port} leads to"
    else:
        leads = f"which leads to {some(ends)}" if ends else f"to which {port} is redirected"
    return Finding(
        Severity.ERROR,
        f"strangers reach {port} by {others} over {over} by {interfaces}, {leads}{by_rules(found)}",
        f"guard {others} as well, or do not publish it"
        if others.endswith(port.protocol)
        else _FORWARD,
    )


def _named(asked: Question, port: PortRange) -> str:
    """The strangers' way: another address, or another port."""
    if port.first <= asked.port <= port.last:
        return str(asked.destination)
    if asked.aim is Aim.BEHIND:
        return f"{asked.destination} port {asked.port}"
    return f"{asked.port}/{asked.protocol}"
