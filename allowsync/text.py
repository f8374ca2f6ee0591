"""Text for people: quoted values, counts, spans of time."""

from __future__ import annotations

from datetime import timedelta

from allowsync.typed import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


LONGEST_QUOTE: Final = 80


LONGEST_PROBLEM: Final = 600


def printable(text: str) -> str:
    """The text with every character escaped that could move a cursor or hide other text."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quote(text: str) -> str:
    """The text in quotes and escaped, cut to about 80 characters."""
    if len(text) > LONGEST_QUOTE:
        return repr(text[: LONGEST_QUOTE - 3]) + "..."
    return repr(text)


def abridge(text: str, longest: int = LONGEST_PROBLEM) -> str:
    """The text without control characters, cut to a length that fits a message."""
    safe = printable(text)
    return safe if len(safe) <= longest else safe[: longest - 3] + "..."


class Line(NamedTuple):
    """One line of output and its colour: a name that click knows, `bold`, or empty."""

    text: str
    colour: str = ""


def end_of(access: datetime) -> str:
    """The end of an access, as users write it: a date means through that day."""
    local = access.astimezone()
    if local.hour or local.minute or local.second or local.microsecond:
        return f"{access:%Y-%m-%d %H:%M} UTC"
    return f"the end of {local.date() - timedelta(days=1)}"


UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def said(span: timedelta) -> str:
    """A span in its two largest units, rounded to the nearest: `2 d 22 h`, `1 h 5 min`, `45 s`."""
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


def counted(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`. `many` is only needed for a plural that is not `one` + `s`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
