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
_ODD_START = re.compile(r"(?:[^#'\"]*:\s+|\s*-\s+)([@`%*&!|>,])|\s*([@`%])")
_CAUSES: Final = {
    "unknown escape": "a backslash in double quotes begins an escape; use single quotes ",
    "<document start>": "the document ends before this line ",
}
_LONGEST_KEY: Final = 1024  # characters (YAML 1.2.2, 7.4.2)


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
    found, cause = _caused(error, text.splitlines(), line)
    began = ""
    if error.context_mark is not None and error.context_mark.line + 1 < found:
        began = f"; what it belongs to begins in line {error.context_mark.line + 1}"
    return found, f"not valid YAML: {cause}{_said(error)}{began}"


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


def _caused(error: yaml.MarkedYAMLError, lines: list[str], line: int) -> tuple[int, str]:
    """The line of the likeliest cause, and that cause; empty if there is none."""
    problem, context = error.problem or "", error.context or ""
    source = _at(lines, line)
    column = error.problem_mark.column if error.problem_mark else 0
    if "expected ':'" in problem and error.context_mark is not None:
        return _without_colon(lines, error.context_mark.line + 1)
    if cause := _cause(source):
        return line, cause
    misplaced = "mapping values" in problem or "block mapping" in context
    if misplaced and (above := _unmarked(lines, line)):
        return _without_colon(lines, above)
    if "mapping values" in problem:
        return line, _no_mapping(column)
    if "while parsing a block" in context:
        return line, _no_part(source, column, "list" if "collection" in context else "mapping")
    return line, next((cause for said, cause in _CAUSES.items() if said in problem), "")


def _without_colon(lines: list[str], line: int) -> tuple[int, str]:
    if len(_at(lines, line)) > _LONGEST_KEY:
        return line, f"a key is longer than {_LONGEST_KEY} characters "
    return line, "the line has no `: ` after its key "


def _unmarked(lines: list[str], line: int) -> int:
    """The number of the line above, if it stands beside this one and is no `key: value`; else 0."""
    above = next((n for n in range(line - 1, 0, -1) if _content(lines, n)), 0)
    if _indent(_at(lines, above)) != _indent(_at(lines, line)):
        return 0
    return 0 if re.search(r"^-\s|:(\s|$)", _content(lines, above)) else above


def _no_mapping(column: int) -> str:
    if column > _LONGEST_KEY:
        return f"a key is longer than {_LONGEST_KEY} characters "
    return "the line is indented deeper than the one above it, which has a value "


def _indent(source: str) -> str:
    return source[: len(source) - len(source.lstrip())]


def _at(lines: list[str], number: int) -> str:
    """The line of that number; empty if there is none."""
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _content(lines: list[str], number: int) -> str:
    """A line without its comment."""
    return re.split(r"(?:^|\s)#", _at(lines, number), maxsplit=1)[0].strip()


def _no_part(source: str, column: int, of: str) -> str:
    """The cause of something that cannot go on with the mapping or list above it."""
    before, after = source[:column].strip(), source[column:]
    if before and after[:1] in ("]", "}"):
        return f"a closing '{after[0]}' too many "
    if before:
        return "something follows a complete value; put the whole value in quotes "
    if re.match(r"-(\s|$)", after):
        return "a list item (`- `) where a key belongs, or its indentation is wrong "
    if of == "list":
        return "a key where a list item (`- `) belongs, or its indentation is wrong "
    return "the indentation of the line fits none above it "


def _cause(source: str) -> str:
    """The likeliest cause, from the line alone; empty if there is none."""
    if "\t" in _indent(source):
        return "a tab as indentation; use spaces "
    if _NESTED.match(source):
        return "a second `: ` in one line; put the value in quotes or on a line of its own "
    if odd := _ODD_START.match(source):
        return f"text that begins with {odd[1] or odd[2]} needs quotes "
    if source.count('"') % 2 or source.count("'") % 2:
        return "a quote may be missing "
    return ""


def _said(error: yaml.MarkedYAMLError) -> str:
    said = " ".join(part for part in (error.problem, error.context) if part)
    return f"({abridge(said, 160)})"
