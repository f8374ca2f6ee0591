"""YAML text → the position of each value, for edits that leave every other byte as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import yaml

from allowsync.config.schema.yaml_loader import LOADER

if TYPE_CHECKING:
    from collections.abc import Iterator


class Form(Enum):
    """The syntax of a value."""

    SCALAR = "scalar"
    ALIAS = "alias"
    BLOCK_MAPPING = "block mapping"
    FLOW_MAPPING = "flow mapping"
    BLOCK_LIST = "block list"
    FLOW_LIST = "flow list"


@dataclass(slots=True)
class Span:
    """The position of a value, in characters from the start of the text.

    Attributes:
        form: Its syntax.
        start: Its first character; an anchor before it belongs to it.
        end: The offset after its last character. The rest of the line is not part of it.
        text: A scalar's value, or the name of an alias.
        anchor: Its anchor, if any.
        children: The items of a list; the keys and values of a mapping, in turn.
    """

    form: Form
    start: int
    end: int
    text: str = ""
    anchor: str | None = None
    children: list[Span] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[Span, Span]]:
        """The keys and values of a mapping."""
        return list(zip(self.children[::2], self.children[1::2], strict=True))

    def at(self, key: str) -> Span | None:
        """The value of a mapping for a key."""
        if self.form not in (Form.BLOCK_MAPPING, Form.FLOW_MAPPING):
            return None
        return next((value for name, value in self.pairs if name.text == key), None)


def spans(text: str) -> tuple[Span | None, dict[str, Span]]:
    """The root of a text that `read_yaml` accepts, and its anchored values by anchor."""
    root: Span | None = None
    open_: list[Span] = []
    anchors: dict[str, Span] = {}
    for one, closes in _marked(text):
        if closes:
            ended = open_.pop()
            block = ended.form in (Form.BLOCK_MAPPING, Form.BLOCK_LIST)
            # The parser ends a block at the next token, after comments.
            ended.end = ended.children[-1].end if block and ended.children else one.end
            continue
        if open_:
            open_[-1].children.append(one)
        else:
            root = one
        if one.anchor is not None:
            anchors[one.anchor] = one
        if one.form not in (Form.SCALAR, Form.ALIAS):
            open_.append(one)
    return root, anchors


def _marked(text: str) -> Iterator[tuple[Span, bool]]:
    """Yield the start of each value, and the end of each collection, in the order of the text."""
    event: Any  # every mark is set, which the type stubs do not guarantee
    for event in yaml.parse(text, Loader=LOADER):
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.ScalarEvent):
            # A block scalar's mark includes its line breaks.
            end = start + len(text[start:end].rstrip())
            yield Span(Form.SCALAR, start, end, event.value, event.anchor), False
        elif isinstance(event, yaml.AliasEvent):
            yield Span(Form.ALIAS, start, end, str(event.anchor)), False
        elif isinstance(event, yaml.CollectionStartEvent):
            yield Span(_form(event), start, end, anchor=event.anchor), False
        elif isinstance(event, yaml.CollectionEndEvent):
            yield Span(Form.SCALAR, start, end), True


def _form(event: Any) -> Form:
    if isinstance(event, yaml.MappingStartEvent):
        return Form.FLOW_MAPPING if event.flow_style else Form.BLOCK_MAPPING
    return Form.FLOW_LIST if event.flow_style else Form.BLOCK_LIST
