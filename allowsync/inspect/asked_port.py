"""Explanations narrowed to one port: by its own targets, or without any by packets alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.inspect.explain import AccessVerdict, TargetAnswer
from allowsync.inspect.guarded_packets import met
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.inspect.packet_verdicts import beside_packets, networks_of
from allowsync.inspect.reachability import address_in
from allowsync.model.target import Guard
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allowsync.inspect.explain import Explanation
    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.model.target import PortRange
    from allowsync.model.types import Entry

_NO_TARGET: Final = TargetAnswer("", AccessVerdict.NO)


def unguarded(port: PortRange, entries: tuple[Entry, ...]) -> GuardedTarget:
    """A port that no target guards, to ask about like those of a target.

    Args:
        port: The port.
        entries: The entries of targets at other ports: their networks are no strangers.
    """
    return GuardedTarget("", Guard((port,)), entries)


def forwarded_from(
    port: PortRange,
    answer: Explanation,
    targets: Sequence[GuardedTarget],
    answers: PacketAnswers,
) -> tuple[GuardedTarget, ...]:
    """The targets for forwarded packets that guard the end to which a port is forwarded."""
    sources = tuple(map(address_in, networks_of(answer)))

    def leads(one: GuardedTarget, at: PortRange) -> bool:
        given = (way for source in sources for way in met(answers, source, one.guard, at))
        return any(port.first <= way.question.port <= port.last for way in given)

    return tuple(one for one in targets if any(leads(one, at) for at in one.guard.ports))


def without(answer: Explanation, targets: Collection[str]) -> Explanation:
    """An explanation without the answers for some targets."""
    places = tuple(one for one in answer.places if one.target not in targets)
    return replace(answer, places=places)


def at_unguarded(
    answer: Explanation,
    port: PortRange,
    alone: Sequence[GuardedTarget],
    answers: PacketAnswers,
) -> Explanation:
    """An explanation of a port that no target of this machine guards: packets alone decide.

    Args:
        answer: The explanation, with targets that may stand at the port all the same.
        port: The port.
        alone: The port, to be judged like that of a target.
        answers: The answers to packets.
    """
    unread = any(one.verdict is AccessVerdict.UNKNOWN for one in answer.places)
    if unread or (answer.places and answers.unknown):
        return answer
    found = beside_packets(replace(answer, places=(_NO_TARGET,)), alone, answers)
    known = " on this machine whose ports are known" if answer.places else ""
    reasons = (*found.reasons, f"{port} is guarded by no target{known}")
    return replace(found, places=answer.places, unguarded=found.verdict, reasons=reasons)
