"""Source addresses for probes, from the networks that rules name. Pure.

A rule lets in packets by a network it names. So some addresses of each network are probed, whatever
the verdict of the rule.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath.netlink import attributes, first, given, native
from allowsync.packetpath.question import is_private, is_public
from allowsync.packetpath.source_literals import (
    AddressSpan,
    added,
    by_set,
    in_legacy,
    in_rules,
    in_set,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from allowsync.model.networks import Coverage
    from allowsync.model.types import Network
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Address

MOST_SOURCES: Final = 64  # networks of each family
MOST_ONWARD: Final = 8  # addresses of each family, where each asks many ports
MOST_OF_A_SET: Final = 16
_NOT_ROUTED: Final = (ip_network("0.0.0.0/8"), ip_network("240.0.0.0/4"))


class NamedSources(NamedTuple):
    """The probed addresses of the networks that rules name.

    Attributes:
        asked: The addresses, each with its network.
        left_out: The number of networks not probed.
    """

    asked: Mapping[Address, str]
    left_out: int


def named_sources(original: Original, known: Coverage) -> NamedSources:
    """Return source addresses from networks that rules name, but for known ones."""
    lan = _lan(original)

    def examples(span: AddressSpan) -> list[Address]:
        """Return those of distant strangers."""
        if any(span.version == v and span.first <= b and a <= span.last for v, a, b in lan):
            return []
        routed = [one for one in span.examples if _is_routed(one)]
        return [one for one in routed if known.covering(ip_network(one)) is None][:2]

    chosen: dict[AddressSpan, list[Address]] = {}
    left_out = 0
    for several, most in _every(original):
        asked = {one: found for one in several if one not in chosen and (found := examples(one))}
        some = _spread(list(asked), most)
        chosen |= {one: asked[one] for one in some}
        left_out += len(asked) - len(some)
    of_both = [[one for one in chosen if one.version == version] for version in (4, 6)]
    kept = [one for several in of_both for one in several[:MOST_SOURCES]]
    asked_from = {address: str(one) for one in reversed(kept) for address in chosen[one]}
    return NamedSources(asked_from, left_out + len(chosen) - len(kept))


def _every(original: Original) -> Iterator[tuple[Sequence[AddressSpan], int]]:
    """Yield the spans of rules, then those of each set, with the limit of each."""
    ruleset = original.ruleset
    rules = [*in_rules(ruleset), *in_legacy("".join(original.tables.values()))]
    yield list(dict.fromkeys(rules)), len(rules)
    for family, held in ruleset.sets:
        yield list(dict.fromkeys(in_set(ruleset, family, held))), MOST_OF_A_SET
    for lines in by_set(original.sets.saved):
        yield list(dict.fromkeys(filter(None, map(added, lines)))), MOST_OF_A_SET


def _spread(several: list[AddressSpan], most: int) -> list[AddressSpan]:
    """Return some of many: the widest, and as many that are spread evenly."""
    if len(several) <= most:
        return several
    widest = sorted(several, key=lambda one: one.first - one.last)[: most // 2]
    rest = [one for one in several if one not in set(widest)]
    return [*widest, *rest[:: -(-len(rest) // (most - len(widest)))]]


def _is_routed(address: Address) -> bool:
    return is_public(address) and not any(address in one for one in _NOT_ROUTED)


def _lan(original: Original) -> list[AddressSpan]:
    """Return the networks of interfaces that have a private address."""
    found: dict[int, list[Network]] = {}
    for one in original.routing.addresses:
        held = attributes(one[8:])
        wide = ip_network((first(held, 2) or given(held, 1), one[1]), strict=False)
        found.setdefault(native(one[4:8]), []).append(wide)
    return [
        AddressSpan.of(one)
        for several in found.values()
        if any(is_private(one.network_address) for one in several)
        for one in several
    ]
