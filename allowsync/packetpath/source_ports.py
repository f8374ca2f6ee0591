"""The source ports that rules name for questions, whose probes have other source ports. Pure.

Such as `--sport 53 --dport 1024:65535`, meant for the answers of name servers: it lets in every
packet from there. The verdict of the rule is not followed.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath import nftables
from allowsync.packetpath.netlink import attributes, first, given, number, text
from allowsync.packetpath.translation import named_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.packetpath.netlink import Attributes
    from allowsync.packetpath.nftables import Expression
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Question

_LAST: Final = 65535
_PROTOCOLS: Final = {6: "tcp", 17: "udp"}
# The part of a packet that a step loads: header, offset and length; of meta data its key alone.
_SOURCE, _DESTINATION, _BOTH = (2, 0, 2), (2, 2, 2), (2, 0, 4)
_PROTOCOL: Final = frozenset({(1, 9, 1), (1, 6, 1), (16,)})
_LEAVING: Final = (3, 4)  # NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING
_EQUAL, _BELOW, _AT_MOST, _ABOVE, _AT_LEAST = 0, 2, 3, 4, 5
_LEGACY: Final = re.compile(
    r"^-A (?!OUTPUT|POSTROUTING).* --(?:sport|sports|source-ports) (\d+).*$", re.MULTILINE
)
_LEGACY_TO: Final = re.compile(r" --dports? ([\d:,]+)")


class FromPort(NamedTuple):
    """A source port of a rule, 0 for several; its protocol, empty for any; its destinations."""

    port: int
    protocol: str
    low: int
    high: int

    def __str__(self) -> str:
        """Return it as `53/udp`."""
        port = self.port or "several"
        return f"{port}/{self.protocol}" if self.protocol else f"{port}"


def source_ports(questions: Iterable[Question], original: Original) -> tuple[str, ...]:
    """Return the source ports that rules name for any port of the questions."""
    asked: set[tuple[str, int, int]] = set()
    for one in questions:
        ports = (one.port,) if one.port else named_ports(original)
        asked.update((one.protocol, port, one.last or port) for port in ports)
    named = (*_in_nftables(original), *_in_legacy(original))
    found = {
        f"{one}": None
        for one in sorted(named)
        for protocol, low, high in asked
        if one.protocol in ("", protocol) and one.low <= high and low <= one.high
    }
    return tuple(found)


def _in_nftables(original: Original) -> Iterator[FromPort]:
    leaving = {
        (family, given(held, 1), given(held, 3))
        for family, held in original.ruleset.chains
        if number(first(attributes(given(held, 4)), 1)) in _LEAVING and first(held, 4)
    }
    for family, held in original.ruleset.rules:
        if (family, given(held, 1), given(held, 2)) in leaving:
            continue
        if (found := _in_rule(held)) is not None:
            yield found


def _in_rule(held: Attributes) -> FromPort | None:
    source, protocol, low, high = -1, "", 0, _LAST
    place: tuple[int, ...] = ()
    for step in nftables.expressions(held):
        if step.kind in ("payload", "meta"):
            place = _loaded(step)
        elif step.kind == "match" and text(first(step.held, 1)) in _PROTOCOLS.values():
            protocol = text(first(step.held, 1))
            begin, end, low, high = struct.unpack_from("=4H", given(step.held, 3))
            source = begin if (begin, end) != (0, _LAST) else source
        elif step.kind in ("cmp", "range", "lookup"):
            lowest, highest = _span(step)
            if place in _PROTOCOL:
                protocol = _PROTOCOLS.get(lowest, "other")
            elif place == _SOURCE:
                source = lowest
            elif place == _BOTH and lowest == highest:
                source, low, high = lowest >> 16, lowest & _LAST, lowest & _LAST
            elif place == _DESTINATION:
                low, high = max(low, lowest), min(high, highest)
    return None if source < 0 else FromPort(source, protocol, low, high)


def _loaded(step: Expression) -> tuple[int, ...]:
    kinds = (2, 3, 4) if step.kind == "payload" else (2,)
    return tuple(number(first(step.held, kind)) for kind in kinds)


def _span(step: Expression) -> tuple[int, int]:
    """Return the values that a step matches; all of them where that is not as simple."""
    operator = number(first(step.held, 2))
    values = [number(given(attributes(given(step.held, kind)), 1)) for kind in (3, 4)]
    if step.kind == "range":
        return (values[0], values[1]) if operator == _EQUAL else (0, _LAST)
    if step.kind == "cmp":
        spans = {
            _EQUAL: (values[0], values[0]),
            _BELOW: (0, values[0] - 1),
            _AT_MOST: (0, values[0]),
            _ABOVE: (values[0] + 1, _LAST),
            _AT_LEAST: (values[0], _LAST),
        }
        return spans.get(operator, (0, _LAST))
    return 0, _LAST


def _in_legacy(original: Original) -> Iterator[FromPort]:
    for saved in original.tables.values():
        for match in _LEGACY.finditer(saved):
            protocol = next((p for p in _PROTOCOLS.values() if f" -p {p} " in match[0]), "")
            to = _LEGACY_TO.search(match[0])
            ports = [int(one) for one in re.findall(r"\d+", to[1])] if to else [0, _LAST]
            yield FromPort(int(match[1]), protocol, min(ports), max(ports))
