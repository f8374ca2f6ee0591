"""Targets that guard ports of this machine's packet filter, and strangers to them. Pure."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import Coverage, without
from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import TypeAlias

    from allowsync.model.target import Guard
    from allowsync.model.types import Entry, Network

    Address: TypeAlias = IPv4Address | IPv6Address

# Homes all over the world: a filter by country, or of unallocated addresses, knows them.
_ELSEWHERE: Final = tuple(
    ip_address(text)
    for text in (
        *("73.15.20.9", "91.64.10.9", "114.32.10.9", "177.32.10.9", "41.32.10.9"),
        *("2601:100:10::9", "2a02:8100:10::9", "2001:b000:10::9", "2804:14c:10::9", "2c0f:f8::9"),
    )
)
MOST_FRIENDS: Final = 1024  # of one target; of more, a sample that is spread evenly
MOST_FORWARDED: Final = 32  # the same, where each needs questions for many ports


class GuardedTarget(Value):
    """A target that guards ports of this machine's packet filter.

    Attributes:
        name: Its full name.
        guard: The ports it guards.
        entries: Its entries.
        others: Foreign networks at the same place.
        flaws: Its flaws.
        obstacles: The flaws that the next run cannot repair, each with the remedy.
        assumed: Whether the guard is inferred from rules of others that match its sets.
    """

    name: str
    guard: Guard
    entries: tuple[Entry, ...] = ()
    others: frozenset[Network] = frozenset()
    flaws: tuple[str, ...] = ()
    obstacles: Mapping[str, str] = field(default_factory=dict)
    assumed: bool = False

    @property
    def friends(self) -> tuple[Entry, ...]:
        """The entries to ask about."""
        most = MOST_FORWARDED if self.guard.forwarded else MOST_FRIENDS
        step = -(-len(self.entries) // most) or 1
        return self.entries[::step]


def known(targets: Iterable[GuardedTarget]) -> Coverage:
    """The networks that are no strangers to any target."""
    return Coverage(
        network
        for one in targets
        for network in (*(entry.network for entry in one.entries), *one.others)
    )


def strangers(targets: Sequence[GuardedTarget]) -> tuple[Address, ...]:
    """Addresses of both families that no target should admit.

    Networks admitted by other means, as by `ufw allow from`, are not strangers. Where these contain
    all the sample homes of a family, they contain everyone, and count as strangers.
    """
    found = _outside(known(targets))
    versions = {one.version for one in found}
    entries = Coverage(entry.network for one in targets for entry in one.entries)
    return (*found, *(one for one in _outside(entries) if one.version not in versions))


def _outside(held: Coverage) -> tuple[Address, ...]:
    return tuple(one for one in _ELSEWHERE if without(ip_network(one), held))
