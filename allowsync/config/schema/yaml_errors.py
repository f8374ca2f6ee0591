"""Messages about text that is not valid YAML: the line, and the likeliest cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from allowsync.text import abridge

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTED: Final = "while scanning a quoted scalar"
_OPENS: Final = {yaml.FlowSequenceStartToken: "[", yaml.FlowMappingStartToken: "{"}
_CLOSES: Final = {yaml.FlowSequenceEndToken: "[", yaml.FlowMappingEndToken: "{"}
_NESTED = re.compile(r"[^#'\"]*[\w-]:\s+[^#'\"\[{]*:(\s|$)")
_ODD_START = re.compile(r"(?:[^#'\"]*:\s+|\s*-\s+)([@`%*&!|>,])")


def syntax_problem(error: yaml.MarkedYAMLError, text: str, loader: Any) -> tuple[int, str]:
    """Line (from 1) and message for a syntax error.

    An unclosed quote or bracket is reported where it opens. The parser's own message follows: it is
    the only help if the cause is a rare one.
    """
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    if opened := _unclosed(error, text, loader):
        where, what = opened
        noticed = f", noticed in line {line}" if line != where else ""
        return where, f"not valid YAML: {what} is never closed {_said(error)}{noticed}"
    lines = text.splitlines()
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    began = ""
    if error.context_mark is not None and error.context_mark.line + 1 < line:
        began = f"; what it belongs to begins in line {error.context_mark.line + 1}"
    return line, f"not valid YAML: {_cause(source)}{_said(error)}{began}"


def _unclosed(error: yaml.MarkedYAMLError, text: str, loader: Any) -> tuple[int, str] | None:
    """The line and the name of an unclosed quote or bracket."""
    if error.context == _QUOTED and error.context_mark is not None:
        mark = error.context_mark
        return mark.line + 1, f"the quote in column {mark.column + 1}"
    if "flow" not in (error.context or ""):
        return None
    open_ones: list[tuple[str, Any]] = []
    for token in _tokens(text, loader):
        if bracket := _OPENS.get(type(token)):
            open_ones.append((bracket, token.start_mark))
        elif closed := _CLOSES.get(type(token)):
            if not open_ones or open_ones[-1][0] != closed:
                break
            open_ones.pop()
    if not open_ones:
        return None
    bracket, mark = open_ones[-1]
    return mark.line + 1, f"the '{bracket}' in column {mark.column + 1}"


def _tokens(text: str, loader: Any) -> Iterator[Any]:
    """The tokens of a text, up to the first error."""
    try:
        yield from yaml.scan(text, Loader=loader)
    except yaml.YAMLError:
        return


def _cause(source: str) -> str:
    """The likeliest cause, from the line alone; empty if there is none."""
    indentation = source[: len(source) - len(source.lstrip())]
    if "\t" in indentation:
        return "a tab as indentation; use spaces "
    if _NESTED.match(source):
        return "a second `: ` in one line; put the value in quotes or on a line of its own "
    if odd := _ODD_START.match(source):
        return f"a value that begins with {odd[1]} needs quotes "
    if source.count('"') % 2 or source.count("'") % 2:
        return "a quote may be missing "
    return ""


def _said(error: yaml.MarkedYAMLError) -> str:
    said = " ".join(part for part in (error.problem, error.context) if part)
    return f"({abridge(said, 160)})"
