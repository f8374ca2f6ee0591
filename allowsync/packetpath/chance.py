"""Rules that treat identical packets differently. Pure.

By a random number, in turn, or by a hash of the source port, which senders choose freely.
"""

from __future__ import annotations

import re
import struct
from functools import partial
from itertools import pairwise, starmap
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import attributes, first, given, number, text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from allowsync.packetpath.nftables import Expression

_RANDOM: Final = 24  # NFT_META_PRANDOM
_TRANSPORT: Final = 2  # NFT_PAYLOAD_TRANSPORT_HEADER
# The part of a packet that a step loads: header, offset and length; of meta data its key alone.
_PORT: Final = (_TRANSPORT, 2, 2)
_FROM: Final = (_TRANSPORT, 0, 2)
_PROTOCOL: Final = ((16,), (1, 9, 1), (1, 6, 1))
_OF_FLOW: Final = 1  # NFT_HASH_SYM
_NTH: Final = 1  # XT_STATISTIC_MODE_NTH
_ALL: Final = 1 << 31
_LEGACY: Final = re.compile(
    r" --mode (?:random (?:! )?--probability ([\d.]+)|nth (?:! )?--every (\d+))"
)
_LEGACY_PORT: Final = re.compile(r"(?<!!) --dport (\d+) ")
_LEGACY_PROTOCOL: Final = re.compile(r"(?<!!) -p (\S+) ")
_LEGACY_FROM: Final = re.compile(r"(?<!!) --sport (\d+) ")


def one_of(rule: Sequence[Expression], ports: Collection[int], protocol: int) -> int:
    """Return the number of packets of which a rule of nftables chooses one; 0 for all.

    Args:
        rule: Its steps.
        ports: The packets' destination ports: before and after translation.
        protocol: The packets' protocol.
    """
    odds = max((_odds(step, rule) for step in rule), default=0)
    return odds if odds and concerns(rule, ports, protocol) else 0


def one_of_legacy(rule: str, ports: Collection[int], protocol: str) -> int:
    """Return the same of a rule of iptables, in words."""
    match = _LEGACY.search(rule)
    if match is None or not concerns_legacy(rule, ports, protocol):
        return 0
    return int(match[2]) if match[2] else _rarer(float(match[1]))


def concerns(
    rule: Sequence[Expression], ports: Collection[int], protocol: int, *, answers: bool = False
) -> bool:
    """Whether a rule may match packets for some ports, or answers from there."""
    met = {_FROM if answers else _PORT: ports, **dict.fromkeys(_PROTOCOL, (protocol,))}
    return not any(starmap(partial(_is_other, met), pairwise(rule)))


def concerns_legacy(
    rule: str, ports: Collection[int], protocol: str, *, answers: bool = False
) -> bool:
    """Whether a rule of iptables may, in words."""
    port = (_LEGACY_FROM if answers else _LEGACY_PORT).search(rule)
    of = _LEGACY_PROTOCOL.search(rule)
    return (port is None or int(port[1]) in ports) and (of is None or of[1] == protocol)


def _is_other(
    met: Mapping[tuple[int, ...], Collection[int]], before: Expression, after: Expression
) -> bool:
    """Whether two steps compare a field of the packet with another value."""
    has = met.get(_place(before)) if after.kind == "cmp" else None
    if has is None or number(first(after.held, 2)):
        return False
    return number(given(attributes(given(after.held, 3)), 1)) not in has


def _odds(step: Expression, rule: Sequence[Expression]) -> int:
    match step.kind:
        case "numgen":
            return number(first(step.held, 2))
        case "meta":
            return 2 if number(first(step.held, 2)) == _RANDOM else 0
        case "hash" if number(first(step.held, 7)) == _OF_FLOW or any(map(_is_port, rule)):
            return number(first(step.held, 4))
        case "match" if text(first(step.held, 1)) == "statistic":
            mode, _, value = struct.unpack_from("=HHI", given(step.held, 3))
            return value + 1 if mode == _NTH else _rarer(value / _ALL)
    return 0


def _rarer(share: float) -> int:
    """Return the odds, one of how many, of the rarer outcome."""
    rarer = min(share, 1 - share)
    return round(1 / rarer) if rarer > 0 else 0


def _is_port(step: Expression) -> bool:
    """Whether a step loads the source port."""
    return _place(step)[:2] == (_TRANSPORT, 0)


def _place(step: Expression) -> tuple[int, ...]:
    """Return the part of a packet that a step loads."""
    kinds = {"payload": (2, 3, 4), "meta": (2,)}.get(step.kind, ())
    return tuple(number(first(step.held, kind)) for kind in kinds)
