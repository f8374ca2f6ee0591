"""Markdown, as far as our generated pages use it, as a manual page (man(7)).

Headings, paragraphs, tables, fenced blocks and lists; code, emphasis and links within a line. It
has been held to groff and mandoc.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

_INLINE: Final = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<link>[^\]]+)\]\([^)]*\)"
)
_CELLS: Final = re.compile(r"(?<!\\)\|")
_SPECIAL: Final = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def page(title: str, section: int, version: str, day: date, body: str) -> str:
    """A whole manual page.

    Args:
        title: Its name, such as `allowsync-apply`.
        section: 5 for files, 8 for commands of the administrator.
        version: The program's.
        day: When it was made.
        body: Its Markdown, beginning with a heading.
    """
    head = f'.TH {escaped(title.upper())} {section} {day} "allowsync {version}" "allowsync"'
    # No hyphenation, and no filling up with spaces: much of it is to be typed as it stands.
    lines = [head, ".nh", ".ad l", *_lines(body)]
    return "\n".join(part for line in lines for part in _wrapped(line)) + "\n"


def escaped(text: str) -> str:
    """Text that comes out as it is, as what is typed: a hyphen is a minus sign."""
    plain = "".join(_SPECIAL.get(one, one) for one in text)
    plain = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in plain)
    return f"\\&{plain}" if plain.startswith(".") else plain


def inline(text: str) -> str:
    """A line of Markdown: code and emphasis in bold, links as their text."""
    done, parts = 0, []
    for match in _INLINE.finditer(text):
        parts.append(escaped(_unescaped(text[done : match.start()])))
        bold = match["code"] or match["strong"]
        parts.append(f"\\fB{escaped(_unescaped(bold))}\\fR" if bold else inline(match["link"]))
        done = match.end()
    parts.append(escaped(_unescaped(text[done:])))
    joined = "".join(parts)
    return f"\\&{joined}" if joined.startswith((".", "'")) else joined


def _wrapped(line: str) -> list[str]:
    """An input line in pieces that are short enough to be looked at, macros as they are."""
    if line.startswith("."):
        return [line]
    pieces = textwrap.wrap(
        line, 78, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return [f"\\&{one}" if one.startswith((".", "'")) else one for one in pieces] or [line]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([|\[\]`*])", r"\1", text)


def _lines(body: str) -> Iterator[str]:
    after_heading = False
    for block in _blocks(body):
        lines = list(_block(block))
        # A paragraph begins behind a heading by itself.
        yield from lines[1:] if after_heading and lines[0] == ".PP" else lines
        after_heading = lines[-1].startswith((".SH", ".SS"))


def _blocks(body: str) -> Iterator[list[str]]:
    """Headings, fenced blocks whatever they hold, and what is between empty lines."""
    pieces = re.split(r"^(```.*?^```$|#+ [^\n]*)$", body, flags=re.MULTILINE | re.DOTALL)
    for number, piece in enumerate(pieces):
        parts = [piece] if number % 2 else re.split(r"\n{2,}", piece)
        yield from (part.strip("\n").splitlines() for part in parts if part.strip())


def _block(lines: Sequence[str]) -> Iterator[str]:
    first = lines[0]
    if first.startswith("#"):
        level, _, text = first.partition(" ")
        macro = ".SH" if len(level) <= 2 else ".SS"
        yield f'{macro} "{_heading(text, upper=macro == ".SH")}"'
    elif first.startswith("```"):
        kept = [line for line in lines if not line.startswith("```")]
        yield from (".PP", ".in +4n", ".nf", *map(_verbatim, kept), ".fi", ".in")
    elif first.startswith("|"):
        yield from _table(lines)
    elif first.startswith("- "):
        for item in "\n".join(lines).removeprefix("- ").split("\n- "):
            yield from (".IP \\(bu 2", inline(" ".join(item.split())))
    else:
        yield from (".PP", inline(" ".join(lines)))


def _verbatim(line: str) -> str:
    return escaped(line) or "\\&"


def _heading(text: str, *, upper: bool) -> str:
    plain = text.replace("`", "").replace('"', "\\(dq")
    return escaped(plain.upper() if upper else plain)


def _table(lines: Sequence[str]) -> Iterator[str]:
    """Each row as a paragraph: what it is about, what it means, and the other columns."""
    header, _, *rows = ([cell.strip() for cell in _CELLS.split(line)[1:-1]] for line in lines)
    for term, *others, meaning in rows:
        yield from (".TP", inline(term), inline(meaning))
        told = [f"{name}: {one}." for name, one in zip(header[1:-1], others, strict=True) if one]
        if told:
            yield from (".br", inline(" ".join(told)))
