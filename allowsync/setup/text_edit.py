"""Edits of YAML text that insert or remove one value, and leave every other byte as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.config.schema.yaml_spans import Form, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FLOW: Final = (Form.FLOW_MAPPING, Form.FLOW_LIST)
_REST_OF_ITEM: Final = re.compile(r"[ \t]*(,?)[ \t]*(?:#.*)?")


class UneditableError(ValueError):
    """The text has a syntax that is not edited in place; the message says which.

    Attributes:
        line: The line of the syntax, from 1; 0 if unknown.
    """

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.line = line


class Edit(NamedTuple):
    """A range of characters, and its replacement."""

    start: int
    end: int
    text: str


class Item(NamedTuple):
    """An item of a list, or a key with its value."""

    start: int
    end: int


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The edited text. Edits at the same position stay in order."""
    done, at = [], 0
    for one in sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, edit.end)):
        done += [text[at : one.start], one.text]
        at = one.end
    return "".join((*done, text[at:]))


def newline(text: str) -> str:
    """The line ending of a text."""
    return "\r\n" if "\r\n" in text else "\n"


def items(span: Span) -> list[Item]:
    """The items of a list or a mapping, in order."""
    if span.form in (Form.BLOCK_LIST, Form.FLOW_LIST):
        return [Item(one.start, one.end) for one in span.children]
    return [Item(key.start, max(key.end, value.end)) for key, value in span.pairs]


def insertion(text: str, span: Span, added: Sequence[str]) -> list[Edit]:
    """The edits that append an item to a list or mapping.

    Args:
        text: The text.
        span: The position of the list or mapping.
        added: The item; in a block, its lines, those after the first with their indentation
            below it. In braces or brackets it has a single line.

    Raises:
        UneditableError: It is neither.
    """
    if span.form in (Form.SCALAR, Form.ALIAS):
        raise UneditableError("expected a list or a mapping")
    known = items(span)
    if span.form in _FLOW:
        return _flow_insertion(text, span, known, added[0])
    at, end = known[-1].start, _line_end(text, known[-1].end)
    first = _indentation(text, at)
    lead = " " * len(first)
    if span.form is Form.BLOCK_LIST:
        dash = text.rindex("-", 0, at)
        lead, first = " " * (at - _line_start(text, at)), text[_line_start(text, dash) : at]
    lines = [first + added[0], *(lead + one for one in added[1:])]
    return [Edit(end, end, "".join(newline(text) + one for one in lines))]


def _flow_insertion(text: str, span: Span, known: list[Item], added: str) -> list[Edit]:
    if not known:
        opened = text.rindex("{" if span.form is Form.FLOW_MAPPING else "[", 0, span.end) + 1
        return [Edit(opened, span.end - 1, added)]
    at = known[-1].end
    rest = _alone(text, known[-1])
    if rest is None:
        return [Edit(at, at, f", {added}")]
    comma, end = rest.group(1), _line_end(text, at)
    lead = text[_line_start(text, known[-1].start) : known[-1].start]
    edits = [] if comma else [Edit(at, at, ",")]
    return [*edits, Edit(end, end, f"{newline(text)}{lead}{added}{comma}")]


def removal(text: str, span: Span, number: int) -> Edit:
    """The edit that removes an item of a list or mapping, with the comment after it.

    Raises:
        UneditableError: It shares its line with something else, or it is the only one.
    """
    known = items(span)
    if len(known) == 1:
        raise UneditableError("it is the only one there, and one is needed; add another first")
    one = known[number]
    if span.form in _FLOW and _alone(text, one) is None:
        return _flow_removal(text, known, number)
    start, end = _line_start(text, one.start), _line_end(text, one.end)
    before = text[start : one.start].strip()
    if span.form not in _FLOW and before != ("-" if span.form is Form.BLOCK_LIST else ""):
        raise UneditableError("it does not begin its line")
    after = end + len(newline(text))
    return Edit(start, min(after, len(text)), "")


def _flow_removal(text: str, known: list[Item], number: int) -> Edit:
    """The edit that keeps the line breaks around it, and the comment after the item before it."""
    one = known[number]
    if number and "#" not in text[known[number - 1].end : one.start]:
        return Edit(known[number - 1].end, one.end, "")
    if number + 1 < len(known):
        return Edit(one.start, known[number + 1].start, "")
    return Edit(one.start, one.end, "")


def _alone(text: str, one: Item) -> re.Match[str] | None:
    """The rest of the line after an item that has its lines for itself; else None."""
    if text[_line_start(text, one.start) : one.start].strip():
        return None
    return _REST_OF_ITEM.fullmatch(text, one.end, _line_end(text, one.end))


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """The position of a line's line break, or the end of the text."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1 : end] == "\r" else end


def _indentation(text: str, at: int) -> str:
    start = _line_start(text, at)
    return text[start : at if text[start:at].isspace() else start]
