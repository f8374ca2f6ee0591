"""What to say about text that is no YAML: the line, and what is most often the cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from allowsync.text import abridge

if TYPE_CHECKING:
    import yaml

_NESTED = re.compile(r"[^#'\"]*[\w-]:\s+[^#'\"\[{]*:(\s|$)")
_ODD_START = re.compile(r"(?:[^#'\"]*:\s+|\s*-\s+)([@`%*&!|>,])")


def syntax_problem(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Line (from 1) and text for what the parser could not read.

    The parser's own words follow ours: they are all there is when the cause is a rare one.
    """
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    lines = text.splitlines()
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    began = ""
    if error.context_mark is not None and error.context_mark.line + 1 < line:
        began = f"; what it belongs to begins in line {error.context_mark.line + 1}"
    return line, f"not valid YAML: {_cause(source)}{_said(error)}{began}"


def _cause(source: str) -> str:
    """The likeliest cause, from the line alone; empty when nothing stands out."""
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
