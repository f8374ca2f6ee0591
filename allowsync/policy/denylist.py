"""The networks a denylist blocks: its lists, without the never-blocked networks. Pure.

Everything here is spans of addresses: lists overlap protected networks by tens of thousands.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.model.networks import network, span
from allowsync.model.spans import joined, prefixes, subtracted
from allowsync.model.special_purpose import (
    DOCUMENTATION,
    IPV4_BLOCKS,
    IPV6_BLOCKS,
    OUTSIDE_UNICAST,
)
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import Value
from allowsync.policy.lists import WIDEST
from allowsync.policy.tracking import NOTHING_KNOWN
from allowsync.text import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from allowsync.model.spans import Span
    from allowsync.model.types import Network
    from allowsync.policy.clock import Now
    from allowsync.policy.decision import Decision

Spans: TypeAlias = "tuple[Sequence[Span], Sequence[Span]]"  # of IPv4, of IPv6

# A larger list is a mistake of its author, or no block list.
LARGEST_SHARE: Final = 0.02

NOTHING: Final[Spans] = ([], [])

SPECIAL: Final = "special-purpose addresses"


class NeverBlocked(Value):
    """A network that is never blocked, and the reason."""

    network: Network
    why: str


# Documentation ranges are left out: no packet comes from there, and examples block them.
SPECIAL_PURPOSE: Final = tuple(
    NeverBlocked(ip_network(block), SPECIAL)
    for block in (
        *(one for one, why in (*IPV4_BLOCKS, *IPV6_BLOCKS) if why != DOCUMENTATION),
        *OUTSIDE_UNICAST,
    )
)


class Blocked(Value):
    """The effective content of a denylist.

    Attributes:
        spans: The blocked spans.
        spared: The never-blocked networks that the lists contain, at least in part.
        shares: The blocked share of all IPv4 addresses, and of all global IPv6 addresses.
    """

    spans: Spans
    spared: tuple[NeverBlocked, ...] = ()
    shares: tuple[float, float] = (0.0, 0.0)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The blocked networks: as few as possible, sorted, and none wider than the limit.

        Adjacent ones may form a network that is too wide for Cloudflare, for example.
        """
        both = zip(self.spans, BOTH_FAMILIES, WIDEST.values(), strict=True)
        return tuple(
            one for spans, family, most in both for one in networks_in(spans, family, most)
        )

    @property
    def refusal(self) -> str:
        """The reason why so large a share is not blocked; empty where it is blocked."""
        for share, family in zip(self.shares, ("IPv4", "IPv6"), strict=True):
            if share > LARGEST_SHARE:
                much, most = f"{share:.1%}", f"{LARGEST_SHARE:.0%}"
                return f"it would block {much} of all {family} addresses, and {most} is the most"
        return ""


def spans_of(networks: Iterable[Network]) -> Spans:
    """Networks as spans, sorted, with adjacent and overlapping ones merged."""
    found: dict[int, list[Span]] = {4: [], 6: []}
    for one in networks:
        found[one.version].append(span(one))
    return joined(found[4]), joined(found[6])


def united(several: Iterable[Spans]) -> Spans:
    """The union of several spans."""
    every = list(several)
    return (
        joined(one for spans in every for one in spans[0]),
        joined(one for spans in every for one in spans[1]),
    )


def common(one: Spans, other: Spans) -> Spans:
    """The intersection of two spans."""
    ipv4, ipv6 = (list(subtracted(one[n], list(subtracted(one[n], other[n])))) for n in (0, 1))
    return ipv4, ipv6


def networks_in(spans: Iterable[Span], family: Family, widest: int = 0) -> Iterator[Network]:
    """The fewest networks that cover exactly some spans, no prefix shorter than `widest`."""
    version = 4 if family is Family.IPV4 else 6
    for first, width in prefixes(spans, family.bits, widest):
        yield network(version, first, width)


def blocked(lists: Spans, never: Sequence[NeverBlocked]) -> Blocked:
    """The effective content of a denylist.

    Args:
        lists: The union of its lists, as from `united`.
        never: The never-blocked networks, beside special-purpose addresses.
    """
    every = (*SPECIAL_PURPOSE, *never)
    holes = spans_of(one.network for one in every)
    ipv4, ipv6 = (list(subtracted(lists[n], holes[n])) for n in (0, 1))
    spared = (one for one in every if touches(lists, one.network))
    shares = (_size(ipv4) / 2**32, _size(ipv6) / 2**125)  # of 2000::/3: nothing else is left
    return Blocked((ipv4, ipv6), tuple(spared), shares)


def unheard(decision: Decision, since: datetime, now: Now) -> str:
    """The reason why an unknown host suspends additions from denylists; empty where none does.

    It suspends them for as long as a known address would have stayed: `keep_unavailable`, and as
    many runs. Networks of lists and other sources stay without a limit, and so does this
    suspension.

    Args:
        decision: The decision about the host.
        since: The first run with nothing known of it.
        now: The instant.
    """
    host = decision.host
    if not decision.undecided:
        return ""
    what = f"nothing is added while the addresses of {host.name} are unknown"
    way_out = f"'allowsync revoke {host.name}' ends that"
    if host.sources:
        return f"{what}; {way_out}"
    from allowsync.policy.fold import UNAVAILABLE_RUNS

    tracks = [decision.memory.tracks.get(query, NOTHING_KNOWN) for query in host.queries]
    silent = all(one.known or one.unavailable_runs >= UNAVAILABLE_RUNS for one in tracks)
    left = host.policy.keep_unavailable - now.passed(since)
    if silent and left <= timedelta(0):
        return ""
    return f"{what}, for {said(left)} more at most; {way_out}"


def _size(spans: Iterable[Span]) -> int:
    return sum(last - first + 1 for first, last in spans)


def touches(spans: Spans, given: Network) -> bool:
    """Whether a network overlaps one of some spans."""
    mine = spans[0 if given.version == 4 else 1]
    first, last = span(given)
    place = bisect_left(mine, (last + 1,))
    return bool(place) and mine[place - 1][1] >= first


def too_wide(given: Network) -> bool:
    """Whether a network is wider than a denylist may contain."""
    return given.prefixlen < WIDEST[given.version]
