"""YAML text → nodes.

Built from the parser's events in a loop, never by recursion: composing a document of a hundred
thousand `[` overflows the C stack of libyaml's composer and crashes the interpreter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from allowsync.config.schema.nodes import Mapping, Node, Scalar, ScalarType, Sequence
from allowsync.config.schema.yaml_scalars import LIST_TAG, MAPPING_TAG, plain_type, tagged_type
from allowsync.config.secure_file import LARGEST_FILE
from allowsync.model.value import Value
from allowsync.text import abridge, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST: Final = 64
MOST_ALIASED: Final = 250_000

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Characters that are not printable in YAML 1.2 (production c-printable). One regular expression for
# both would take 20 ms to compile: charsets beyond Latin-1 are slow.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_NONCHARACTERS: Final = ("\ufeff", "\ufffe", "\uffff")


class YamlError(Exception):
    """The text is no valid document: the line (from 1) and the problem."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(line, what)
        self.line = line
        self.what = what


@dataclass(slots=True)
class _Open:
    """A collection that has begun and not yet ended."""

    mapping: bool
    line: int
    anchor: str | None
    children: list[Node] = field(default_factory=list)
    key_line: int = 0
    size: int = 1
    height: int = 1

    def place(self, line: int, *, block: bool) -> int:
        """The line of a collection that begins here; in a block, that of its key."""
        awaits_value = self.mapping and len(self.children) % 2 == 1
        return self.children[-1].line if awaits_value and block else line

    def take(self, node: Node, size: int, height: int) -> None:
        """Add one more child of that many nodes and levels."""
        self.children.append(node)
        self.size += size
        self.height = max(self.height, height + 1)

    def close(self) -> Node:
        """The collection as a node."""
        if not self.mapping:
            return Sequence(tuple(self.children), self.line)
        pairs = zip(self.children[::2], self.children[1::2], strict=True)
        return Mapping(tuple(pairs), self.line)


class _Anchored(Value):
    node: Node
    size: int
    height: int


def read_yaml(content: bytes) -> Node | None:
    """The single document of a file; None if it holds none.

    Raises:
        YamlError: It is not UTF-8, not YAML, too large, too deep, or more than one document.
    """
    return _Builder().build(_events(_text(content)))


def _text(content: bytes) -> str:
    if len(content) > LARGEST_FILE:
        raise YamlError(0, f"larger than {LARGEST_FILE // 1024**2} MiB: not a configuration")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError(line, f"not UTF-8 text (byte 0x{content[error.start]:02x})") from None
    if (position := _first_unprintable(text)) is not None:
        line = text.count("\n", 0, position) + 1
        raise YamlError(line, f"the character {quote(text[position])} is not allowed here")
    return text


def _first_unprintable(text: str) -> int | None:
    if control := _CONTROLS.search(text):
        return control.start()
    if text.isascii():
        return None
    return next((text.index(odd) for odd in _NONCHARACTERS if odd in text), None)


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        from allowsync.config.schema.yaml_errors import syntax_problem

        raise YamlError(*syntax_problem(error, text, LOADER)) from None
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        # ValueError and ArithmeticError: escapes such as "\U99999999", which is no character.
        raise YamlError(0, f"not valid YAML: {abridge(str(error), 120)}") from None


class _Builder:
    """Builds the node tree from the events of one document."""

    def __init__(self) -> None:
        self.open: list[_Open] = []
        self.anchors: dict[str, _Anchored] = {}
        self.aliased = 0
        self.root: Node | None = None
        self.documents = 0

    def build(self, events: Iterator[Any]) -> Node | None:
        steps = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for event in events:
            if step := steps.get(type(event)):
                step(event)
        return self.root

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise YamlError(_line(event), "a second document begins here; only one is read")

    def _scalar(self, event: Any) -> None:
        line = _line(event)
        if event.tag is not None:
            type_ = tagged_type(event.value, event.tag)
            if type_ is None:
                raise YamlError(line, f"the tag {quote(event.tag)} does not belong here")
        elif event.implicit[0]:
            type_ = plain_type(event.value)
        else:
            type_ = ScalarType.TEXT
        self._take(Scalar(event.value, type_, line), 1, 1, event.anchor)

    def _mapping(self, event: Any) -> None:
        self._begin(event, MAPPING_TAG, mapping=True)

    def _sequence(self, event: Any) -> None:
        self._begin(event, LIST_TAG, mapping=False)

    def _begin(self, event: Any, tag: str, *, mapping: bool) -> None:
        line = _line(event)
        if event.tag not in (None, "!", tag):
            raise YamlError(line, f"the tag {quote(event.tag)} does not belong here")
        if len(self.open) >= DEEPEST:
            raise YamlError(line, f"nested deeper than {DEEPEST} levels")
        if self.open:
            line = self.open[-1].place(line, block=not event.flow_style)
        self.open.append(_Open(mapping, line, event.anchor))

    def _end(self, _: Any) -> None:
        closed = self.open.pop()
        self._take(closed.close(), closed.size, closed.height, closed.anchor)

    def _alias(self, event: Any) -> None:
        line = _line(event)
        name = event.anchor
        if any(one.anchor == name for one in self.open):
            raise YamlError(
                line, f"the alias *{abridge(name, 40)} stands for a value that holds it"
            )
        if name not in self.anchors:
            raise YamlError(line, f"the alias *{abridge(name, 40)} has no anchor before it")
        target = self.anchors[name]
        self.aliased += target.size
        if self.aliased > MOST_ALIASED:
            raise YamlError(line, f"aliases stand for more than {MOST_ALIASED} values")
        if len(self.open) + target.height > DEEPEST:
            raise YamlError(line, f"nested deeper than {DEEPEST} levels through aliases")
        self._take(target.node, target.size, target.height, None)

    def _take(self, node: Node, size: int, height: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = _Anchored(node, size, height)
        if self.open:
            self.open[-1].take(node, size, height)
        else:
            self.root = node


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1
