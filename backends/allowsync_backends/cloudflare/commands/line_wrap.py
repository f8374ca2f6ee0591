"""Text in lines of 80 columns. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from allowsync.report.text import printable

WIDTH: Final = 80


def folded(text: str, first: str, rest: str) -> list[str]:
    """Text in lines, the first after one thing and the others after another.

    A word that is longer than a line stays whole: an address that is cut cannot be copied.
    """
    return wrap(
        printable(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
