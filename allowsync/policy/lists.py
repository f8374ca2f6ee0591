"""Lists of networks that others keep: what is believed of one, and for how long. Pure.

What a list said last that could be believed is in force until it says something else that can be.
A list is taken as a whole or not at all.

    the list says       in force before    what becomes of it
    plausible           anything           it is in force
    not plausible       a list             what was in force stays
    nothing             a list             what was in force stays
    either of these     nothing            it is unknown, which is not the same as empty
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.model.spans import BITS, joined, prefixes, subtracted
from allowsync.model.special_purpose import IPV4_BLOCKS, IPV6_BLOCKS, OUTSIDE_UNICAST
from allowsync.policy.list_formats import entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from allowsync.model.list_source import ListSource
    from allowsync.model.spans import Span
    from allowsync.policy.list_formats import Entry, ListContent

REJECTED: Final = "rejected: "
READABLE: Final = 0.9  # of its lines, at least
WIDEST: Final = {4: 8, 6: 16}
FEWER: Final = 2  # at most that many times fewer than before
MORE: Final = 3  # at most that many times more
OLD: Final = 3  # times the span in which something newer is expected
RETRY: Final = timedelta(hours=1)
LONGEST_RETRY: Final = timedelta(days=1)


Ranges: TypeAlias = "dict[int, list[Span]]"  # by version; sorted, apart


def refusal(content: ListContent, source: ListSource, before: int, *, force: bool) -> str:
    """Why what a list says is not believed; empty where it is.

    Args:
        content: What it says.
        source: What the configuration demands of it.
        before: How many networks it had that are in force, put together; 0 where there are none.
        force: Whether it may have far fewer or far more of them.
    """
    lines = content.count + content.unread
    if not content.count:
        return f"no line is a network; the first is {content.sample!r}" if lines else "it is empty"
    if content.count < READABLE * lines:
        what = f"{content.unread:,} of {lines:,} lines are no networks"
        return f"{what}; the first is {content.sample!r}"
    if content.promised is not None and content.count < READABLE * content.promised:
        return f"it says that it has {content.promised:,} networks, and has {content.count:,}"
    if content.count > source.max_networks:
        return f"it has {content.count:,} networks, more than {source.max_networks:,}"
    if wide := next(_too_wide(content.entries), None):
        return f"{spelt(wide)} is wider than a /{WIDEST[wide[0]]}"
    now = sum(map(len, cidrs(ranges(content.entries)).values())) if before else 0
    if not before or force:
        return ""
    if now * FEWER < before or now > before * MORE:
        much = "less than half" if now < before else f"more than {MORE} times"
        return f"it has {now:,} networks, {much} of what it had ({before:,})"
    return ""


def needs_force(trouble: str) -> bool:
    """Whether `--force` can be a reason to look again at what a list says."""
    return trouble.startswith(REJECTED)


def is_old(source: ListSource, confirmed: datetime | None, now: datetime) -> bool:
    """Whether something newer should have come long ago."""
    return source.every is not None and (
        confirmed is not None and now - confirmed > OLD * source.every
    )


def is_over(source: ListSource, confirmed: datetime | None, now: datetime) -> bool:
    """Whether nothing newer came within the time for which it counts."""
    return source.every is not None and confirmed is not None and now - confirmed > source.keep


def next_try(source: ListSource, tried: datetime, failures: int) -> datetime:
    """When to fetch a list again: after failures at growing distances, never within an hour."""
    if not failures:
        return tried + (source.every or RETRY)
    return tried + min(RETRY * (1 << min(failures - 1, 10)), LONGEST_RETRY)


def ranges(entries: Iterable[Entry]) -> Ranges:
    """Networks as spans of addresses, put together where they touch."""
    found: Ranges = {4: [], 6: []}
    for version, first, width in entries:
        found[version].append((first, first + (1 << (BITS[version] - width)) - 1))
    return {version: joined(spans) for version, spans in found.items()}


def cidrs(held: Ranges) -> dict[int, list[tuple[int, int]]]:
    """Spans as networks, as few as possible: first address and width, by version."""
    return {version: list(prefixes(spans, BITS[version])) for version, spans in held.items()}


def spelt(one: Entry) -> str:
    """A network in CIDR form."""
    from ipaddress import IPv4Network, IPv6Network

    version, first, width = one
    return str((IPv4Network if version == 4 else IPv6Network)((first, width)))


def _too_wide(entries: Collection[Entry]) -> Iterator[Entry]:
    """Networks of which too much is left without special-purpose blocks.

    Lists of bogons have 224.0.0.0/3, which is multicast and reserved, and harms none.
    """
    for one in entries:
        version, _, width = one
        if width < WIDEST[version]:
            left = without({version: ranges([one])[version]}, special())
            if any(width < WIDEST[version] for _, width in cidrs(left)[version]):
                yield one


def special() -> Ranges:
    """The special-purpose blocks of both families."""
    blocks = (*(block for block, _ in (*IPV4_BLOCKS, *IPV6_BLOCKS)), *OUTSIDE_UNICAST)
    return ranges(found for block in blocks if (found := entry(block)) is not None)


def without(held: Ranges, taken: Ranges) -> Ranges:
    """What is left of spans when others are taken away. Both are sorted and apart."""
    return {
        version: list(subtracted(spans, taken.get(version, []))) for version, spans in held.items()
    }
