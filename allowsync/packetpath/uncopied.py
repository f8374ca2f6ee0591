"""Conditions of rules that the copy cannot reproduce: then the answer is unknown. Pure.

The copy answers in place of the machine's programs, and its interfaces are veth pairs.
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import first, given, number, text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from allowsync.packetpath.nftables import Expression
    from allowsync.packetpath.original import Link

_GROUP: Final = "the group of the program that answers decides"
_CONTROL_GROUP: Final = "the control group of the program that answers decides"
_UNHEARD: Final = "whether a program listens there decides, and none does now"
_PROCESSOR: Final = "the processor that handles a packet decides"
_HASH: Final = "a hash by a number that the kernel keeps to itself decides"
_INTERFACE: Final = "the kind of an interface decides, and that of the copy is another"
# Keys of `meta` (nft(8)): skgid, cgroup.
_META: Final = {11: _GROUP, 23: _CONTROL_GROUP}
_CPU: Final = 20
# A hash of what nft(8) calls jhash, for which the kernel picks a seed if none is given.
_SEED, _KIND = 5, 7
_NETWORK: Final = 1  # NFT_PAYLOAD_NETWORK_HEADER
_COMPARES: Final = frozenset({"cmp", "lookup", "bitwise", "range"})
# Of several servers that translation chooses from, any may do.
_TRANSLATES: Final = frozenset({"nat", "redir"})
_TYPES: Final = (8, 9)  # iiftype, oiftype
_KINDS: Final = (26, 27)  # iifkind, oifkind
_CABLE: Final = "veth"
_SOCKET_CGROUP: Final = 3  # NFT_SOCKET_CGROUPV2
_OWNER_FLAGS_AT, _OWNER_GROUP = 16, 2 | 8  # xt_owner_match_info; a further group of it, too
_LEGACY: Final = (
    (re.compile(r" -m owner .*--gid-owner "), _GROUP),
    (re.compile(r" -m cgroup "), _CONTROL_GROUP),
)
_CPU_LEGACY: Final = " -m cpu "


def other_kinds(arriving: Link, links: Iterable[Link]) -> frozenset[int]:
    """Return the keys of `meta` for interface properties that differ in the copy.

    Args:
        arriving: The interface where a packet arrives.
        links: Those that it may leave by.
    """
    several = tuple(links)
    types = (arriving.is_tunnel, any(one.is_tunnel for one in several))
    kinds = (arriving.kind != _CABLE, any(one.kind != _CABLE for one in several))
    pairs = zip((*_TYPES, *_KINDS), (*types, *kinds), strict=True)
    return frozenset(key for key, is_other in pairs if is_other)


def uncopied(
    rule: Sequence[Expression], others: Collection[int], *, answers: bool, heard: bool = True
) -> str:
    """Return the deciding condition of a rule of nftables; "" where the copy has all it needs.

    Args:
        rule: Its steps.
        others: The result of `other_kinds`.
        answers: Whether an answer met it: a connection request belongs to no program yet.
        heard: Whether a program of the machine listens at the port; one of the copy always does.
    """
    lacking = dict.fromkeys(others, _INTERFACE) | {_CPU: _PROCESSOR}
    found = [_of_arrival(step, lacking) for step in rule]
    found += [_UNHEARD for step in rule if not (heard or answers) and _asks_socket(step)]
    found += [_of_program(step) for step in rule if answers]
    if not (_names_addresses(rule) or any(step.kind in _TRANSLATES for step in rule)):
        found += [_HASH for step in rule if _is_unseeded(step)]
    return next(filter(None, found), "")


def uncopied_legacy(rule: str, *, answers: bool, heard: bool) -> str:
    """Return the same of a rule of iptables, in words."""
    if _CPU_LEGACY in rule:
        return _PROCESSOR
    if not answers:
        return "" if heard or " -m socket " not in rule else _UNHEARD
    return next((why for pattern, why in _LEGACY if pattern.search(rule)), "")


def _names_addresses(rule: Sequence[Expression]) -> bool:
    """Whether a rule matches certain addresses, which may not be those of the packet."""
    return any(
        before.kind == "payload" and number(first(before.held, 2)) == _NETWORK
        for before, after in pairwise(rule)
        if after.kind in _COMPARES
    )


def _is_unseeded(step: Expression) -> bool:
    return step.kind == "hash" and not (first(step.held, _SEED) or number(first(step.held, _KIND)))


def _asks_socket(step: Expression) -> bool:
    return step.kind == "socket" or (step.kind == "match" and text(first(step.held, 1)) == "socket")


def _of_arrival(step: Expression, lacking: Mapping[int, str]) -> str:
    if step.kind == "socket":  # a listening socket, before any connection
        return _CONTROL_GROUP if number(first(step.held, 1)) == _SOCKET_CGROUP else ""
    if step.kind == "match" and text(first(step.held, 1)) == "cpu":
        return _PROCESSOR
    return lacking.get(number(first(step.held, 2)), "") if step.kind == "meta" else ""


def _of_program(step: Expression) -> str:
    if step.kind == "meta":
        return _META.get(number(first(step.held, 2)), "")
    if step.kind == "match":
        return _of_match(text(first(step.held, 1)), given(step.held, 3))
    return ""


def _of_match(name: str, info: bytes) -> str:
    if name == "cgroup":
        return _CONTROL_GROUP
    if name == "owner":
        (flags,) = struct.unpack_from("=B", info, _OWNER_FLAGS_AT)
        return _GROUP if flags & _OWNER_GROUP else ""
    return ""
