"""Rules that apply at certain times: the copy is asked now, not at other hours. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.chance import concerns, concerns_legacy
from allowsync.packetpath.netlink import first, given, number, text
from allowsync.packetpath.nftables import FAMILIES, expressions
from allowsync.packetpath.packet import PROTOCOLS
from allowsync.packetpath.translation import named_ports

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from allowsync.packetpath.nftables import Expression
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Question

_TIMES: Final = (30, 31, 32)  # meta time, day, hour
_LEGACY: Final = re.compile(r"^-A (\S+) (?:.* )?-m time .*$", re.MULTILINE)


def timed_chains(questions: Iterable[Question], original: Original) -> tuple[str, ...]:
    """Return the chains with rules that apply at certain times, for the questions' ports."""
    asked: dict[tuple[str, range], None] = {}
    for one in questions:
        ports = (one.port,) if one.port else named_ports(original)
        asked.update({(one.protocol, range(port, (one.last or port) + 1)): None for port in ports})
    return tuple(dict.fromkeys((*_in_nftables(asked, original), *_in_legacy(asked, original))))


def _in_nftables(asked: Collection[tuple[str, range]], original: Original) -> Iterator[str]:
    for family, held in original.ruleset.rules:
        steps = expressions(held)
        if any(map(_is_timed, steps)) and any(
            concerns(steps, ports, PROTOCOLS[protocol]) for protocol, ports in asked
        ):
            names = text(first(held, 1)), text(first(held, 2))
            yield " ".join((FAMILIES.get(family, "?"), *names))


def _in_legacy(asked: Collection[tuple[str, range]], original: Original) -> Iterator[str]:
    for saved in original.tables.values():
        for match in _LEGACY.finditer(saved):
            if any(concerns_legacy(match[0], ports, protocol) for protocol, ports in asked):
                yield match[1]


def _is_timed(step: Expression) -> bool:
    if step.kind == "match":
        return text(given(step.held, 1)) == "time"
    return step.kind == "meta" and number(first(step.held, 2)) in _TIMES
