"""One inquiry: the machine is read, copied, asked, and what was seen is judged."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from allowsync.model.value import replace
from allowsync.packetpath import original
from allowsync.packetpath.behind import behind, neighbours
from allowsync.packetpath.caveats import EVERYWHERE, caveats
from allowsync.packetpath.copy import Copy
from allowsync.packetpath.isolation import Tools
from allowsync.packetpath.judgement import Judge
from allowsync.packetpath.limits import unasked
from allowsync.packetpath.listeners import served_twice
from allowsync.packetpath.netlink import Interrupted
from allowsync.packetpath.probe import Prober
from allowsync.packetpath.question import (
    Aim,
    Answer,
    Answers,
    Machine,
    Question,
    Unavailable,
    Verdict,
)
from allowsync.packetpath.translation import (
    MOST_ADDRESSES,
    MOST_PORTS,
    named_ports,
    public_addresses,
)
from allowsync.packetpath.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

LOOPBACK_UNASKED = "packets that arrive over loopback are not asked about"
NO_INTERFACE = "there is no such interface"
BRIDGED = "it is a port of a bridge, which is not copied"


def inquire(questions: Sequence[Question]) -> Answers:
    """Ask a copy of the machine in whose network namespace this process is."""
    tools = Tools()
    machine = Machine()
    try:
        source = original.read(tools)
        beside = _caveats(source)
        machine = describe(source, (*beside.values(), *unasked(questions, source)))
        asked = expand(questions, source)
        return Answers(machine, tuple(_answered(source, beside, tools, asked)))
    except Unavailable as error:
        return all_unknown(questions, str(error), machine)


def all_unknown(questions: Iterable[Question], reason: str, machine: Machine) -> Answers:
    """The answers where nothing could be asked."""
    answers = tuple(Answer(one, Verdict.UNKNOWN, reason=reason) for one in questions)
    return Answers(machine, answers, reason)


def _caveats(source: Original) -> dict[str, str]:
    try:
        return caveats(source.all_links)
    except (OSError, Interrupted) as error:
        raise Unavailable(f"what decides beside the packet filter is unknown: {error}") from error


def describe(source: Original, beside: tuple[str, ...]) -> Machine:
    """The machine, for those who ask."""
    links = source.all_links.values()
    return Machine(
        uplinks=tuple(source.all_links[one].name for one in source.uplinks),
        interfaces=tuple(one.name for one in links),
        addresses={one.name: source.addresses(one.index) for one in links},
        caveats=beside,
        neighbours=neighbours(source),
        served_twice=served_twice(),
    )


def expand(questions: Iterable[Question], source: Original) -> list[Question]:
    """The questions with interface and destination: one for each uplink and address."""
    uplinks = tuple(source.all_links[one].name for one in source.uplinks)
    named = named_ports(source)[:MOST_PORTS]
    reached = cache(partial(_destinations, source))
    expanded = []
    for one in questions:
        for interface in (one.interface,) if one.interface else uplinks:
            placed = replace(one, interface=interface)
            link = source.named(interface)
            if one.destination is not None or link is None:
                expanded.append(placed)
                continue
            expanded += [
                replace(placed, destination=address, port=port)
                for address in reached(one.aim, link.index)
                if address.version == one.source.version
                for port in ((one.port,) if one.port else named)
            ]
    return expanded


def _destinations(source: Original, aim: Aim, index: int) -> tuple[Address, ...]:
    if aim is Aim.BEHIND:
        return behind(source, index)
    reached = source.reaches(index)
    if aim is Aim.OWN:
        return reached
    return tuple(dict.fromkeys((*reached, *public_addresses(source)[:MOST_ADDRESSES])))


def _answered(
    source: Original, beside: Mapping[str, str], tools: Tools, asked: list[Question]
) -> list[Answer]:
    """The answers, in order."""
    reasons = [_unaskable(one, source, beside) for one in asked]
    askable = [one for one, reason in zip(asked, reasons, strict=True) if not reason]
    if not askable:
        judged: list[Answer] = []
    else:
        copy = Copy(source, tools)
        prober = Prober(copy)
        probes = prober.ask(askable)
        judge = Judge(copy, prober, Words(copy))
        judged = [judge.judge(one) for one in probes]
    rest = iter(judged)
    return [
        Answer(one, Verdict.UNKNOWN, reason=reason) if reason else next(rest)
        for one, reason in zip(asked, reasons, strict=True)
    ]


def _unaskable(question: Question, source: Original, beside: Mapping[str, str]) -> str:
    """Why a question cannot be asked; "" where it can."""
    link = source.named(question.interface)
    if link is None:
        return f"{NO_INTERFACE}: {question.interface}"
    if link.name == "lo":
        return LOOPBACK_UNASKED
    if link.index not in source.links:
        return f"{question.interface}: {BRIDGED}"
    return beside.get(question.interface, beside.get(EVERYWHERE, ""))
