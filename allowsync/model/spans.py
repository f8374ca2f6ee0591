"""Spans of addresses: the numbers of the first and the last one, sorted, and apart.

Lists of networks overlap each other and what they must not hold, by tens of thousands. As spans
they are gone through once; networks are made of what is left at last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Span: TypeAlias = "tuple[int, int]"

BITS: Final = {4: 32, 6: 128}  # of an address, by version


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans sorted; such as touch or overlap are one."""
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
    """What is left of spans without others. Both are sorted, and none touches another."""
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
    """As few networks as cover just some spans: first address and prefix length.

    Args:
        spans: What to cover.
        bits: How many bits an address has.
        widest: The shortest prefix that one may have.
    """
    most = bits - widest
    for start, end in spans:
        while start <= end:
            width = min((end - start + 1).bit_length() - 1, most)
            if start:
                width = min(width, (start & -start).bit_length() - 1)
            yield start, bits - width
            start += 1 << width
