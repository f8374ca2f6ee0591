"""Text in lines of 80 columns."""

from __future__ import annotations

from textwrap import wrap

from allowsync.report.text import printable

WIDTH = 80


def filled(text: str, first: str, rest: str, width: int = WIDTH) -> list[str]:
    """Text in lines of a width, the first after one thing and the others after another.

    A word that is longer than a line stays whole: an address that is cut cannot be copied.
    """
    return wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
