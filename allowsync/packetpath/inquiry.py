"""One inquiry: read the machine, copy it, send packets, judge the events."""

from __future__ import annotations

from contextlib import closing
from functools import cache, partial
from typing import TYPE_CHECKING

from allowsync.model.networks import Coverage, parsed
from allowsync.model.value import replace
from allowsync.packetpath import original
from allowsync.packetpath.arrivals import arrivals, never_comes, unheard
from allowsync.packetpath.behind import behind, neighbours
from allowsync.packetpath.caveats import EVERYWHERE, caveats
from allowsync.packetpath.copy import Copy
from allowsync.packetpath.discovery import undiscovered
from allowsync.packetpath.groups import filtered
from allowsync.packetpath.isolation import Tools
from allowsync.packetpath.judgement import Judge
from allowsync.packetpath.limits import unasked
from allowsync.packetpath.listeners import served_twice
from allowsync.packetpath.netlink import ROUTE, ListingInterrupted, Netlink
from allowsync.packetpath.probe import Prober
from allowsync.packetpath.question import (
    Aim,
    Answer,
    Answers,
    Machine,
    PacketsUnavailable,
    PacketVerdict,
    Question,
    all_unknown,
    is_private,
)
from allowsync.packetpath.sources import MOST_ONWARD, NamedSources, named_sources
from allowsync.packetpath.translation import (
    MOST_ADDRESSES,
    MOST_PORTS,
    named_ports,
    ports_within,
    public_addresses,
)
from allowsync.packetpath.vpns import vpns
from allowsync.packetpath.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

LOOPBACK_UNASKED = "packets that arrive over loopback are not tested"
NO_INTERFACE = "there is no such interface"
BRIDGED = "it is a port of a bridge, which is not copied"


def inquire(questions: Sequence[Question], known: Iterable[str] = ()) -> Answers:
    """Ask a copy of the machine in whose network namespace this process runs."""
    tools = Tools()
    machine = Machine()
    try:
        source = original.read(tools)
        beside = _caveats(source)
        named = _named(questions, source, known)
        left_out = (*unasked(questions, source, named), *filtered(questions))
        machine = describe(source, (*beside.values(), *left_out), named)
        asked = expand(questions, source, machine.named)
        judged, lost = _answered(source, beside, tools, list(asked))
        answers = tuple(map(partial(_in_answer, source), judged, asked.values()))
        return Answers(replace(machine, undiscovered=lost), answers)
    except PacketsUnavailable as error:
        return all_unknown(questions, str(error), machine)


def _in_answer(source: Original, answer: Answer, positions: Sequence[int]) -> Answer:
    return replace(answer, asked=tuple(positions), heard=_is_heard(answer, source))


def _is_heard(answer: Answer, source: Original) -> bool:
    """Whether a program listens at the destination of a packet.

    A packet that was forwarded, or whose path is unknown, counts as heard.
    """
    asked = answer.question
    address, port = answer.to[1:] if answer.to else (asked.destination, asked.port)
    if answer.verdict in (PacketVerdict.FORWARDED, PacketVerdict.UNKNOWN) or address is None:
        return True
    return source.hears(asked.protocol, address, port, asked.interface)


def _named(questions: Iterable[Question], source: Original, known: Iterable[str]) -> NamedSources:
    """Return the sources that rules name, where any question is about them."""
    if any(one.source.is_unspecified for one in questions):
        return named_sources(source, Coverage(map(parsed, known)))
    return NamedSources({}, 0)


def _caveats(source: Original) -> dict[str, str]:
    try:
        return caveats(source.all_links, source.ruleset)
    except (OSError, ListingInterrupted) as error:
        raise PacketsUnavailable(
            f"what decides beside the packet filter is unknown: {error}"
        ) from error


def describe(source: Original, beside: tuple[str, ...], named: NamedSources) -> Machine:
    """Return the machine's description for callers."""
    links = source.all_links.values()
    uplinks = [source.all_links[one].name for one in source.uplinks]
    tunnels = vpns(source)
    return Machine(
        uplinks=tuple(one for one in uplinks if one not in tunnels),
        vpns=tunnels,
        interfaces=tuple(one.name for one in links),
        addresses={one.name: source.addresses(one.index) for one in links},
        caveats=beside,
        neighbours=neighbours(source),
        served_twice=served_twice(source.listeners),
        named=named.asked,
    )


def expand(
    questions: Iterable[Question], source: Original, sources: Iterable[Address]
) -> dict[Question, list[int]]:
    """Return the expanded questions, each with the positions of those it answers.

    One for each arriving interface and address, and for each source and port that rules name. This
    machine's own packets are not asked about.
    """
    with closing(Netlink(ROUTE)) as netlink:
        by = cache(partial(arrivals, source, netlink))
        return _expanded(questions, source, tuple(sources), by)


def _expanded(
    questions: Iterable[Question],
    source: Original,
    named: tuple[Address, ...],
    by: Callable[[Address], tuple[str, ...]],
) -> dict[Question, list[int]]:
    expanded: dict[Question, list[int]] = {}
    within, reached = cache(partial(ports_within, source)), cache(partial(_destinations, source))
    translated = named_ports(source)[:MOST_PORTS]
    for position, one in enumerate(questions):
        ports: Sequence[int] = (one.port,) if one.port else translated
        if one.last:
            ports = within(one.port, one.last)
        for asked in _from_each(one, named):
            interfaces = (asked.interface,) if asked.interface else by(asked.source)
            for placed in _placed(asked, source, reached, ports, interfaces):
                expanded.setdefault(placed, []).append(position)
    return expanded


def _from_each(question: Question, named: Sequence[Address]) -> Iterator[Question]:
    """Yield a question for each source that it stands for."""
    if not question.source.is_unspecified:
        yield question
        return
    version = question.source.version
    several = [one for one in named if one.version == version]
    most = len(several) if question.aim is Aim.OWN else MOST_ONWARD
    yield from (replace(question, source=one) for one in several[:most])


def _placed(
    question: Question,
    source: Original,
    reached: Callable[[Aim, int], Sequence[Address]],
    ports: Sequence[int],
    interfaces: Iterable[str],
) -> Iterator[Question]:
    """Yield a question for each interface, address and port that it stands for."""
    for interface in interfaces:
        placed = replace(question, interface=interface, last=0)
        link = source.named(interface)
        if question.destination is not None or link is None:
            yield from (replace(placed, port=port) for port in ports)
            continue
        for address in reached(question.aim, link.index):
            if address.version == question.source.version and not _is_unroutable(question, address):
                yield from (replace(placed, destination=address, port=port) for port in ports)


def _is_unroutable(question: Question, address: Address) -> bool:
    """Whether an address behind is asked at many ports, and has no way from the internet."""
    return question.aim is Aim.BEHIND and not question.port and is_private(address)


def _destinations(source: Original, aim: Aim, index: int) -> tuple[Address, ...]:
    if aim is Aim.BEHIND:
        return behind(source, index)
    reached = source.reaches(index)
    if aim is Aim.OWN:
        return reached
    return tuple(dict.fromkeys((*reached, *public_addresses(source)[:MOST_ADDRESSES])))


def _answered(
    source: Original, beside: Mapping[str, str], tools: Tools, asked: list[Question]
) -> tuple[list[Answer], dict[str, str]]:
    """Return the answers, in order, and the uplinks on which no neighbour finds the machine."""
    reasons = [_unaskable(one, source, beside) for one in asked]
    askable = [one for one, reason in zip(asked, reasons, strict=True) if not reason]
    if not askable:
        judged: list[Answer] = []
        lost: dict[str, str] = {}
    else:
        copy = Copy(source, tools)
        prober = Prober(copy)
        probes = prober.ask(askable)
        words = Words(copy)
        judge = Judge(copy, prober, words)
        judged = [judge.judge(one) for one in probes]
        is_ipv6 = any(one.source.version == 6 for one in askable)
        lost = undiscovered(copy, prober, words) if is_ipv6 else {}
    rest = iter(judged)
    answers = [
        Answer(one, PacketVerdict.UNKNOWN, reason=reason) if reason else next(rest)
        for one, reason in zip(asked, reasons, strict=True)
    ]
    return answers, lost


def _unaskable(question: Question, source: Original, beside: Mapping[str, str]) -> str:
    """Return the reason why a question cannot be asked; "" where it can."""
    link = source.named(question.interface)
    if link is None:
        return f"{NO_INTERFACE}: {question.interface}"
    if link.name == "lo":
        return LOOPBACK_UNASKED
    if link.index not in source.links:
        return f"{question.interface}: {BRIDGED}"
    if reason := never_comes(question.source, link.index, source):
        return reason
    if reason := unheard(question.source.version, link.index, source):
        return reason
    return beside.get(question.interface, beside.get(EVERYWHERE, ""))
