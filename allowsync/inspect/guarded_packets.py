"""The packets that concern a guarded port: those to ask about, and what they met. Pure."""

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
    """What was answered, by what was asked.

    Attributes:
        found: The answers to each question, one for each interface and destination.
        by_vpn: The same of packets from public addresses by the uplinks of a VPN.
        uplinks: The interfaces with a default route, but for those of a VPN.
        caveats: What decides about packets and is not seen.
        unknown: Why nothing could be asked; empty when it could.
        neighbours: The hardware addresses of the neighbours that the machine knows.
        served_twice: Ports that one program serves by TCP and by UDP.
        named: The networks that rules name, by the address that was asked from.
        undiscovered: Uplinks on which neighbours do not find this machine over IPv6, and the rule.
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
        """What may decide about packets beside what they met, in words; empty where nothing may."""
        what = "not seen or not asked, and may decide as well"
        return f"{what}: {'; '.join(self.caveats)}" if self.caveats else ""


def questions(source: Address, guard: Guard) -> Iterator[Question]:
    """Whether an address reaches what is guarded.

    What is forwarded is guarded by the port it is forwarded to, whatever port it asked for: so
    each is asked that address translation names, and the same of addresses behind the machine.
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
    """The question at a port: of a range, at its ends and wherever rules may tell it apart."""
    last = port.last if port.last != port.first else 0
    return (Question(source, port.protocol, port.first, aim=aim, last=last),)


def behind(source: Address, guard: Guard) -> Iterator[Question]:
    """Whether an address gets by the guarded ports to others behind the machine."""
    for port in guard.ports:
        yield from _at(source, port, Aim.BEHIND)


def translated(source: Address, guard: Guard) -> Iterator[Question]:
    """Where an address gets by each port that translation names."""
    for protocol in dict.fromkeys(port.protocol for port in guard.ports):
        yield Question(source, protocol, 0, aim=Aim.TRANSLATED)


def met(
    answers: PacketAnswers, source: Address, guard: Guard, port: PortRange
) -> tuple[Answer, ...]:
    """What packets from an address met that concern a guarded port."""
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
    """Whether translation sends a packet on that asked for a port, or is sent to it."""
    if answer.to is None or answer.verdict is PacketVerdict.DELIVERED:
        return False
    numbers = (answer.question.port, answer.to[2])
    return any(port.first <= one <= port.last for one in numbers)


def meant_for_friends(given: Sequence[Answer]) -> Iterator[tuple[Answer, ...]]:
    """Answers by the port they asked for; at each a host of the allowlist is to get in.

    An address behind the machine may be anything, so it counts only where no port is translated.
    """
    translated = [one for one in given if one.question.aim is not Aim.BEHIND]
    ways: dict[int, list[Answer]] = {}
    for one in translated or given:
        ways.setdefault(one.question.port, []).append(one)
    yield from map(tuple, ways.values())
