"""Spans of time as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def said(span: timedelta) -> str:
    """A span in its two largest units: `2 d 22 h`, `1 h 5 min`, `45 s`. Rounded to the nearest."""
    left = max(0, round(span.total_seconds()))
    for place, (unit, size) in enumerate(UNITS):
        if left >= size or unit == "s":
            return _two_units(left, place)
    raise AssertionError  # pragma: no cover - the loop always ends at seconds


def _two_units(left: int, place: int) -> str:
    unit, size = UNITS[place]
    if place + 1 == len(UNITS):
        return f"{left} {unit}"
    smaller_unit, smaller = UNITS[place + 1]
    count, rest = divmod(round(left / smaller), size // smaller)
    return f"{count} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
