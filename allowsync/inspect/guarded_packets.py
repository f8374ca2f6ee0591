"""Packets that concern a guarded port: the questions, and their answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value, field
from allowsync.packetpath.question import Aim, PacketVerdict, Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.model.target import Guard, PortRange
    from allowsync.packetpath.question import Answer

    Address: TypeAlias = IPv4Address | IPv6Address


class PacketAnswers(Value):
    """Packet answers by question.

    Attributes:
        found: The answers to each question, one for each interface and destination.
        by_vpn: The same for packets from public addresses through the uplinks of a VPN.
        uplinks: The interfaces with a default route, except those of a VPN.
        caveats: Mechanisms that affect packets and cannot be inspected.
        unknown: The reason why no packet could be tried; empty where packets were tried.
        neighbours: The hardware addresses of the neighbours that the machine knows.
        served_twice: Ports that one program serves over both TCP and UDP.
        named: The networks named in rules, by the source address that was tried for each.
        undiscovered: Uplinks on which neighbour discovery of this machine fails, with the rule.
    """

    found: Mapping[Question, tuple[Answer, ...]] = field(default_factory=dict)
    by_vpn: Mapping[Question, tuple[Answer, ...]] = field(default_factory=dict)
    uplinks: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    unknown: str = ""
    neighbours: Mapping[Address, str] = field(default_factory=dict)
    served_twice: tuple[int, ...] = ()
    named: Mapping[Address, str] = field(default_factory=dict)
    undiscovered: Mapping[str, str] = field(default_factory=dict)

    def to(self, asked: Iterable[Question]) -> tuple[Answer, ...]:
        """The answers to some questions."""
        return tuple(answer for one in asked for answer in self.found.get(one, ()))

    @property
    def unseen(self) -> str:
        """Mechanisms that may decide beside the inspected rules, as text; empty where none may."""
        what = "not seen or not tested, and may decide as well"
        return f"{what}: {'; '.join(self.caveats)}" if self.caveats else ""


def questions(source: Address, guard: Guard) -> Iterator[Question]:
    """Questions whether an address reaches the guarded ports.

    A forwarded packet is guarded by the port after translation, whatever its original port: so
    every port that address translation names is asked, and addresses behind the machine as well.
    """
    if guard.forwarded:
        yield from behind(source, guard)
        for port in guard.ports:
            yield from _at(source, port, Aim.TRANSLATED)
        yield from translated(source, guard)
        return
    for port in guard.ports:
        yield from _at(source, port)


def _at(source: Address, port: PortRange, aim: Aim = Aim.OWN) -> tuple[Question, ...]:
    """The question for a port; for a range, its ends and the ports that rules distinguish."""
    last = port.last if port.last != port.first else 0
    return (Question(source, port.protocol, port.first, aim=aim, last=last),)


def behind(source: Address, guard: Guard) -> Iterator[Question]:
    """Questions whether an address reaches guarded ports of other machines behind this one."""
    for port in guard.ports:
        yield from _at(source, port, Aim.BEHIND)


def translated(source: Address, guard: Guard) -> Iterator[Question]:
    """Questions where each port named by address translation leads."""
    for protocol in dict.fromkeys(port.protocol for port in guard.ports):
        yield Question(source, protocol, 0, aim=Aim.TRANSLATED)


def met(
    answers: PacketAnswers, source: Address, guard: Guard, port: PortRange
) -> tuple[Answer, ...]:
    """The answers to packets from an address that concern a guarded port."""
    if not guard.forwarded:
        return answers.to(_at(source, port))
    forwarded = {
        (one.question.interface, one.question.destination, one.question.port): one
        for one in answers.to(
            (*_at(source, port, Aim.TRANSLATED), *translated(source, guard)),
        )
        if one.question.protocol == port.protocol and _is_forwarded(one, port)
    }
    return (*forwarded.values(), *answers.to(_at(source, port, Aim.BEHIND)))


def _is_forwarded(answer: Answer, port: PortRange) -> bool:
    """Whether a packet was forwarded, and its port before or after translation is in the range."""
    if answer.to is None or answer.verdict is PacketVerdict.DELIVERED:
        return False
    numbers = (answer.question.port, answer.to[2])
    return any(port.first <= one <= port.last for one in numbers)


def meant_for_friends(given: Sequence[Answer]) -> Iterator[tuple[Answer, ...]]:
    """Answers grouped by the requested port; a host of the allowlist should get in at each.

    An address behind the machine may be any machine, so it counts only where no port is translated.
    """
    translated = [one for one in given if one.question.aim is not Aim.BEHIND]
    ways: dict[int, list[Answer]] = {}
    for one in translated or given:
        ways.setdefault(one.question.port, []).append(one)
    yield from map(tuple, ways.values())
