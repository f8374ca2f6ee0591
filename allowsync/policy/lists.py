"""Acceptance and lifetime of third parties' lists of networks. Pure.

The last credible content of a list is in force until there is another credible one. A list is
accepted as a whole or not at all.

    the list is         in force before    outcome
    plausible           anything           it is in force
    not plausible       a list             the list in force stays
    missing             a list             the list in force stays
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
OLD: Final = 3  # times the span in which a newer one is expected
RETRY: Final = timedelta(hours=1)
LONGEST_RETRY: Final = timedelta(days=1)


Ranges: TypeAlias = "dict[int, list[Span]]"  # by version; sorted, apart


def refusal(content: ListContent, source: ListSource, before: int, *, force: bool) -> str:
    """The reason why a list's content is rejected; empty where it is accepted.

    Args:
        content: The parsed content.
        source: The list's configuration.
        before: The number of merged networks in force; 0 where there are none.
        force: Whether far fewer or far more networks are accepted.
    """
    lines = content.count + content.unread
    if not content.count:
        return f"no line is a network; the first is {content.sample!r}" if lines else "it is empty"
    if content.count < READABLE * lines:
        what = f"{content.unread:,} of {lines:,} lines are no networks"
        return f"{what}; the first is {content.sample!r}"
    if content.promised is not None and content.count < READABLE * content.promised:
        return f"it declares {content.promised:,} networks, and has {content.count:,}"
    if content.count > source.max_networks:
        return f"it has {content.count:,} networks, more than {source.max_networks:,}"
    if wide := next(_too_wide(content.entries), None):
        return f"{spelt(wide)} is wider than a /{WIDEST[wide[0]]}"
    now = sum(map(len, cidrs(ranges(content.entries)).values())) if before else 0
    if not before or force:
        return ""
    if now * FEWER < before or now > before * MORE:
        much = "less than half" if now < before else f"more than {MORE} times"
        what = f"it has {now:,} networks, {much} its former number ({before:,})"
        return f"{what}; 'allowsync apply --force' accepts it"
    return ""


def needs_force(trouble: str) -> bool:
    """Whether `--force` can change the verdict on a list's content."""
    return trouble.startswith(REJECTED)


def is_old(source: ListSource, confirmed: datetime | None, now: datetime) -> bool:
    """Whether a newer content is long overdue."""
    return source.every is not None and (
        confirmed is not None and now - confirmed > OLD * source.every
    )


def is_over(source: ListSource, confirmed: datetime | None, now: datetime) -> bool:
    """Whether the lifetime of the content in force has passed."""
    return source.every is not None and confirmed is not None and now - confirmed > source.keep


def next_try(source: ListSource, tried: datetime, failures: int) -> datetime:
    """The time to fetch a list again: with backoff after failures, never within an hour."""
    if not failures:
        return tried + (source.every or RETRY)
    return tried + min(RETRY * (1 << min(failures - 1, 10)), LONGEST_RETRY)


def ranges(entries: Iterable[Entry]) -> Ranges:
    """Networks as spans of addresses, with adjacent ones merged."""
    found: Ranges = {4: [], 6: []}
    for version, first, width in entries:
        found[version].append((first, first + (1 << (BITS[version] - width)) - 1))
    return {version: joined(spans) for version, spans in found.items()}


def cidrs(held: Ranges) -> dict[int, list[tuple[int, int]]]:
    """The fewest networks that cover spans: first address and width, by version."""
    return {version: list(prefixes(spans, BITS[version])) for version, spans in held.items()}


def spelt(one: Entry) -> str:
    """A network in CIDR form."""
    from ipaddress import IPv4Network, IPv6Network

    version, first, width = one
    return str((IPv4Network if version == 4 else IPv6Network)((first, width)))


def _too_wide(entries: Collection[Entry]) -> Iterator[Entry]:
    """Networks that are too wide even without their special-purpose blocks.

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
    """Spans without others. Both are sorted and disjoint."""
    return {
        version: list(subtracted(spans, taken.get(version, []))) for version, spans in held.items()
    }
