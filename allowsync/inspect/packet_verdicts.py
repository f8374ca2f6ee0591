"""Explanations corrected by packet answers, which take precedence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.inspect.explain import AccessVerdict, MetPacket
from allowsync.inspect.guarded_packets import (
    meant_for_friends,
    met,
    questions,
    translated,
)
from allowsync.inspect.guarded_target import strangers
from allowsync.inspect.neighbours import UNDISCOVERED
from allowsync.inspect.other_ports import other_openings
from allowsync.inspect.reachability import (
    IN,
    OUT,
    address_in,
    as_friend,
    by_rules,
    openings,
    unknowns,
)
from allowsync.inspect.served_ports import is_reached_otherwise, stopped_before
from allowsync.model.value import replace
from allowsync.packetpath.question import PacketVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.inspect.explain import Explanation, TargetAnswer
    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget
    from allowsync.inspect.reachability import Address
    from allowsync.model.types import Network
    from allowsync.packetpath.question import Answer, Question

_LOCKED_OUT: Final = "has an entry, but no access"


def networks_of(answer: Explanation) -> tuple[Network, ...]:
    """The networks that an explanation covers."""
    if answer.network is not None:
        return (answer.network,)
    return tuple(dict.fromkeys(one.network for one in answer.accesses))


def about_asked(
    answer: Explanation, targets: Iterable[GuardedTarget]
) -> Iterator[tuple[str, Question]]:
    """Questions whether the explained networks reach guarded ports, each with its target."""
    for target in targets:
        for network in networks_of(answer):
            for one in questions(address_in(network), target.guard):
                yield target.name, one


def about_translated(answer: Explanation, server: GuardedTarget) -> Iterator[Question]:
    """Questions whether another port leads the explained networks to a server."""
    for network in networks_of(answer):
        yield from translated(address_in(network), server.guard)


def at_servers(
    answer: Explanation, servers: Sequence[GuardedTarget], answers: PacketAnswers
) -> Explanation:
    """An explanation corrected where packets of admitted networks do not reach the server."""
    by_name = {one.name: one for one in servers}
    met: list[MetPacket] = []

    def judged(place: TargetAnswer) -> TargetAnswer:
        server = by_name.get(place.target)
        if server is None or place.verdict is not AccessVerdict.YES:
            return place
        sources = tuple(map(address_in, networks_of(answer)))
        if is_reached_otherwise(server, sources, answers):
            return place
        asked = [ask for source in sources for ask in questions(source, server.guard)]
        met.extend(MetPacket(server.name, one) for one in answers.to(asked))
        stopped = [stopped_before(server, source, answers) for source in sources]
        rules = [one for several in stopped for one in several]
        if not rules:
            return place
        verdict = AccessVerdict.NO if all(stopped) else AccessVerdict.PARTLY
        said = f"{_LOCKED_OUT}{by_rules(rules)}"
        return replace(place, verdict=verdict, said=_joined(said, place.said))

    places = tuple(map(judged, answer.places))
    return replace(answer, places=places, packets=(*answer.packets, *met))


def beside_packets(
    answer: Explanation, targets: Sequence[GuardedTarget], answers: PacketAnswers
) -> Explanation:
    """An explanation corrected by packet answers, which overrule the lists."""
    # A host without an address may come from anywhere: it gets in where any stranger does.
    sources = tuple(map(address_in, networks_of(answer))) or strangers(targets)
    seen: dict[str, tuple[Answer, ...]] = {}
    for one in targets:  # a target may guard both local and forwarded ports
        seen[one.name] = (*seen.get(one.name, ()), *_met(sources, one, answers))
    unknown = unknowns(answers)
    places = tuple(
        _seen(place, seen[place.target], unknown) if place.target in seen else place
        for place in answer.places
    )
    met_own = seen.items() if networks_of(answer) else ()
    opened = (*openings(targets, answers), *other_openings(targets, answers))
    return replace(
        answer,
        places=places,
        open=tuple(f"{name}: {found.what}" if name else found.what for name, found in opened),
        reasons=(*answer.reasons, *_unseen_beside(answers)),
        packets=tuple(MetPacket(name, one) for name, several in met_own for one in several),
    )


def _unseen_beside(answers: PacketAnswers) -> Iterator[str]:
    """Mechanisms that may decide about packets beside the inspected rules."""
    for interface, rule in answers.undiscovered.items():
        yield f"over IPv6 by {interface} {UNDISCOVERED}: {rule}"
    if answers.unseen:
        yield answers.unseen


def _met(
    sources: Iterable[Address], target: GuardedTarget, answers: PacketAnswers
) -> Iterator[Answer]:
    for source in sources:
        for port in target.guard.ports:
            given = met(answers, source, target.guard, port)
            for way in meant_for_friends(given):
                yield from way


def _seen(place: TargetAnswer, packets: Sequence[Answer], unknown: str) -> TargetAnswer:
    if place.verdict in (AccessVerdict.UNKNOWN, AccessVerdict.PARTLY):
        return place
    if not packets or any(one.verdict is PacketVerdict.UNKNOWN for one in packets):
        return _unseen(place, unknown)
    if place.verdict is not AccessVerdict.NO:
        packets = tuple(map(as_friend, packets))
    inside = [one for one in packets if one.verdict in IN]
    outside = [one for one in packets if one.verdict in OUT]
    if place.verdict is AccessVerdict.NO:
        if not inside:
            return place
        said = f"in no entry, and gets in{by_rules(inside)}"
        verdict = AccessVerdict.PARTLY if outside else AccessVerdict.YES
        return replace(place, verdict=verdict, said=_joined(said, place.said), through="")
    if _every_port(inside) == _every_port(packets):
        return place
    said = f"{_LOCKED_OUT}{by_rules(outside)}"
    verdict = AccessVerdict.PARTLY if inside else AccessVerdict.NO
    return replace(place, verdict=verdict, said=_joined(said, place.said))


def _unseen(place: TargetAnswer, unknown: str) -> TargetAnswer:
    """The answer without packets: an entry proves access, its absence proves nothing."""
    if place.verdict is not AccessVerdict.NO:
        return place
    if place.through:
        return replace(place, verdict=AccessVerdict.UNKNOWN)
    said = f"in no entry; whether its packets get in is unknown: {unknown or 'no way was found'}"
    return replace(place, verdict=AccessVerdict.UNKNOWN, said=_joined(said, place.said))


def _every_port(answers: Iterable[Answer]) -> set[tuple[object, str, int]]:
    asked = (one.question for one in answers)
    return {(one.source, one.protocol, one.port) for one in asked}


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
