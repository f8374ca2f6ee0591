"""Rules that match fields in which packets for the same port may differ. Pure.

The TTL, the length, the options and the window of TCP, the traffic class. Whether any of these
matters is found by packets: this only finds where more than one has to be sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import first, number, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.packetpath.nftables import Expression

_NETWORK, _TRANSPORT, _INNER = 1, 2, 3  # headers
_LENGTH: Final = 0  # NFT_META_LEN
# Traffic class, label, length and identification; hop limit of IPv6; time to live of IPv4.
_OF_NETWORK: Final = frozenset((0, 1, 2, 3, 4, 5, 7, 8))
_TTL: Final = 8
# The two ports; the data offset of TCP, and its flags.
_ASKED: Final = frozenset((0, 2, 12, 13))
_STEPS: Final = frozenset({"exthdr", "osf"})
_MATCHES: Final = frozenset(
    {"bpf", "dscp", "ecn", "hl", "length", "osf", "string", "tcpmss", "tos", "ttl", "u32"}
)
_LEGACY: Final = re.compile(rf" -m (?:{'|'.join(sorted(_MATCHES))}) | --tcp-option ")


def asks_form(rule: Sequence[Expression]) -> bool:
    """Whether a rule of nftables matches any of these."""
    return any(map(_of_form, rule))


def asks_form_legacy(rule: str) -> bool:
    """Whether a rule of iptables does, in words."""
    return _LEGACY.search(rule) is not None


def _of_form(step: Expression) -> bool:
    if step.kind == "payload":
        header, at, length = (number(first(step.held, kind)) for kind in (2, 3, 4))
        return first(step.held, 1) is not None and _is_form(header, at, length)
    if step.kind == "meta":
        return first(step.held, 1) is not None and number(first(step.held, 2)) == _LENGTH
    if step.kind == "match":
        return text(first(step.held, 1)) in _MATCHES
    return step.kind in _STEPS


def _is_form(header: int, at: int, length: int) -> bool:
    if header == _NETWORK:  # IPv6 has its source address at the offset of IPv4's TTL
        return at in _OF_NETWORK and (at != _TTL or length == 1)
    return header >= _INNER or (header == _TRANSPORT and at not in _ASKED)
