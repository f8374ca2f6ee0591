"""What the demo prints: folded at 80 columns, in colours only where a terminal reads along."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from enum import Enum
from typing import Final

WIDTH: Final = 80


class Ink(Enum):
    """How a line looks on a terminal, as an ANSI attribute."""

    PLAIN = ""
    BOLD = "1"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"


# As allowsync itself has them on a terminal.
_SIGNS: Final = {"+": Ink.GREEN, "-": Ink.RED, "!": Ink.YELLOW}
_COLOURED: Final = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def heading(number: int, text: str) -> None:
    """The one line before a step."""
    print()
    _line(text, Ink.BOLD, first=f"{number}. ", rest="   ")


def remark(text: str) -> None:
    """A paragraph by the demo itself."""
    _line(text)


def typed(command: str) -> None:
    """A command as a person would type it."""
    _line(command, first="  $ ", rest="    ")


def output(text: str) -> None:
    """What a command printed."""
    for line in text.splitlines():
        ink = _SIGNS.get(line.strip()[:1], Ink.PLAIN)
        _line(line, ink, first="    ", rest=" " * (4 + _last_column(line)))


def _last_column(line: str) -> int:
    """Where the last column of a table's row begins; in any other line, a little further in."""
    columns = re.match(r".*\S {2,}", line)
    return columns.end() if columns else len(line) - len(line.lstrip()) + 2


def checked(text: str) -> None:
    """What was found to be as told."""
    _line(text, Ink.GREEN, first="  ok: ", rest="      ")


def failed(text: str) -> None:
    """What was not, on standard error."""
    print(text, file=sys.stderr)


def _line(text: str, ink: Ink = Ink.PLAIN, *, first: str = "", rest: str = "") -> None:
    folded = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in folded or [""]:
        print(f"\033[{ink.value}m{line}\033[0m" if ink is not Ink.PLAIN and _COLOURED else line)
    # Whoever reads along sees a step before it is carried out.
    sys.stdout.flush()
