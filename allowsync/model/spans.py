"""Spans of addresses: the numbers of the first and the last one, sorted, and disjoint.

Lists of networks overlap each other and protected networks, by tens of thousands. As spans they
need one pass; networks are made of the remainder only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Span: TypeAlias = "tuple[int, int]"

BITS: Final = {4: 32, 6: 128}  # of an address, by version


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans sorted, with adjacent and overlapping ones merged."""
    found: list[Span] = []
    first = last = -2
    for start, end in sorted(spans):
        if start > last + 1:
            if last >= 0:
                found.append((first, last))
            first, last = start, end
        elif end > last:
            last = end
    if last >= 0:
        found.append((first, last))
    return found


def subtracted(spans: Iterable[Span], holes: Sequence[Span]) -> Iterator[Span]:
    """The spans without the holes. Both are sorted, and no two in either touch."""
    place = 0
    for start, end in spans:
        while place < len(holes) and holes[place][1] < start:
            place += 1
        begin, at = start, place
        while at < len(holes) and holes[at][0] <= end:
            if holes[at][0] > begin:
                yield begin, holes[at][0] - 1
            begin = holes[at][1] + 1
            at += 1
        if begin <= end:
            yield begin, end


def prefixes(spans: Iterable[Span], bits: int, widest: int = 0) -> Iterator[tuple[int, int]]:
    """The fewest networks that cover exactly some spans: first address and prefix length.

    Args:
        spans: The spans to cover.
        bits: The number of bits of an address.
        widest: The shortest prefix allowed.
    """
    most = bits - widest
    for start, end in spans:
        while start <= end:
            width = min((end - start + 1).bit_length() - 1, most)
            if start:
                width = min(width, (start & -start).bit_length() - 1)
            yield start, bits - width
            start += 1 << width
