"""Ports that are not guarded and lead to what is behind a guarded one. Pure.

A gate stands before address translation, so that it knows the port that a packet asks for. Another
port that is translated to the same end passes by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.inspect.guarded_packets import met, questions, translated
from allowsync.inspect.reachability import IN, address_in, by_rules, some, strangers
from allowsync.model.target import Finding, Severity
from allowsync.packetpath.question import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.reachability import GuardedTarget
    from allowsync.model.target import PortRange
    from allowsync.packetpath.question import Answer, Question

    Address: TypeAlias = IPv4Address | IPv6Address
    End: TypeAlias = tuple[Address | None, int]  # no address: this machine


def about_other_ports(targets: Sequence[GuardedTarget]) -> Iterator[Question]:
    """Where guarded ports lead, and where strangers get by each that translation names."""
    for one in _gates(targets):
        for friend in _friends(one):
            yield from questions(friend, one.guard)
        for source in strangers(targets):
            yield from translated(source, one.guard)


def other_openings(
    targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Ports by which strangers pass by a target, each guarded port for itself."""
    sources = strangers(targets)
    for one in _gates(targets):
        asked = [question for source in sources for question in translated(source, one.guard)]
        found = [answer for answer in answers.to(asked) if _passes_by(answer, one)]
        for port in one.guard.ports:
            ends = set(_ends(one, port, answers))
            if same := [answer for answer in found if _leads_to(answer, port, ends)]:
                yield one.name, _opening(port, same)


def _gates(targets: Sequence[GuardedTarget]) -> Iterator[GuardedTarget]:
    """Those that go by the port that is asked for; the others are asked at each port anyway."""
    return (one for one in targets if not one.guard.forwarded)


def _friends(target: GuardedTarget) -> Iterator[Address]:
    """A host of the allowlist for each family: where it gets, the others do."""
    yield from {
        entry.network.version: address_in(entry.network) for entry in target.friends
    }.values()


def _passes_by(answer: Answer, target: GuardedTarget) -> bool:
    asked = answer.question
    return answer.verdict in IN and not any(
        asked.protocol == one.protocol and one.first <= asked.port <= one.last
        for one in target.guard.ports
    )


def _ends(target: GuardedTarget, port: PortRange, answers: PacketAnswers) -> Iterator[End]:
    """Where hosts of the allowlist get by a guarded port."""
    for source in _friends(target):
        given = met(answers, source, target.guard, port)
        yield from (_end(one) for one in given if one.verdict in IN)


def _end(answer: Answer) -> End:
    _, address, port = answer.to or ("", None, answer.question.port)
    return (address if answer.verdict is Verdict.FORWARDED else None), port


def _leads_to(answer: Answer, port: PortRange, ends: set[End]) -> bool:
    if answer.question.protocol != port.protocol:
        return False
    address, number = _end(answer)
    return (address, number) in ends or (address is None and port.first <= number <= port.last)


def _opening(port: PortRange, found: Sequence[Answer]) -> Finding:
    others = some({f"{one.question.port}/{port.protocol}": None for one in found})
    versions = sorted({one.question.source.version for one in found})
    over = " and ".join(f"IPv{version}" for version in versions)
    interfaces = some({one.question.interface: None for one in found})
    ends = {f"{one.to[1]} port {one.to[2]}": None for one in found if one.to}
    leads = f"which leads to {some(ends)}" if ends else f"to which {port} is redirected"
    return Finding(
        Severity.ERROR,
        f"strangers reach {port} by {others} over {over} by {interfaces}, {leads}{by_rules(found)}",
        f"guard {others} as well, or do not publish it",
    )
