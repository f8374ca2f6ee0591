"""The kinds that hold other kinds: lists, mappings with free keys, values that may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from allowsync.config.schema.context import INVALID, below
from allowsync.config.schema.kind import Kind
from allowsync.config.schema.nodes import Node, Scalar, Sequence, got, is_null
from allowsync.text import abridge, quote

if TYPE_CHECKING:
    from allowsync.config.schema.context import Invalid, Reading
    from allowsync.config.schema.scalar_kinds import Pattern

T = TypeVar("T")


class ListOf(Kind[tuple[T, ...]]):
    """A list. A problem of an item has the list's path and the item's line.

    Args:
        kind: The kind of the items.
        unique: Whether duplicates are problems.
        least: The smallest number of items.
    """

    def __init__(self, kind: Kind[T], *, unique: bool = False, least: int = 0) -> None:
        self.kind = kind
        self.unique = unique
        self.least = least

    @property
    def expected(self) -> str:
        """A description of the list and its items."""
        least = f" of at least {self.least}" if self.least else ""
        return f"a list{least}, each {self.kind.expected}"

    def parse(self, node: Node, at: str, reading: Reading) -> tuple[T, ...] | Invalid:
        """Every item, in order."""
        if not isinstance(node, Sequence):
            what = "something else, which may be secret" if self.kind.hidden else got(node)
            return reading.problem(node, at, f"expected {self.expected}, got {what}")
        if len(node.items) < self.least:
            return reading.problem(
                node, at, f"expected {self.expected}, got {len(node.items) or 'none'}"
            )
        return self.items(node.items, at, reading)

    def items(self, nodes: tuple[Node, ...], at: str, reading: Reading) -> tuple[T, ...] | Invalid:
        """The values of item nodes; INVALID if one is wrong or a duplicate."""
        values: list[T] = []
        written: set[str] = set()
        valid = True
        for node in nodes:
            value = self.kind.parse(node, at, reading)
            if value is INVALID:
                valid = False
                continue
            if self.unique and len(nodes) > 1:
                shown = repr(self.kind.show(value))
                if shown in written:
                    reading.problem(node, at, f"{_name(node, shown)} is a duplicate")
                    valid = False
                written.add(shown)
            values.append(value)
        return tuple(values) if valid else INVALID

    def schema(self) -> dict[str, Any]:
        """An array of the items' schema."""
        schema: dict[str, Any] = {"type": "array", "items": self.kind.schema()}
        if self.least:
            schema["minItems"] = self.least
        return schema

    def show(self, value: tuple[T, ...]) -> Any:
        """The items, each in its written form."""
        return [self.kind.show(item) for item in value]


class OneOrMany(ListOf[T]):
    """One item without a list, or a list of them."""

    def __init__(self, kind: Kind[T], *, unique: bool = True) -> None:
        super().__init__(kind, unique=unique, least=1)

    @property
    def expected(self) -> str:
        """A description of both forms."""
        return f"{self.kind.expected}, or a list of such"

    def parse(self, node: Node, at: str, reading: Reading) -> tuple[T, ...] | Invalid:
        """Every item, in order."""
        if isinstance(node, Sequence):
            return super().parse(node, at, reading)
        return self.items((node,), at, reading)

    def schema(self) -> dict[str, Any]:
        """Either of the two forms."""
        return {"anyOf": [self.kind.schema(), super().schema()]}

    def show(self, value: tuple[T, ...]) -> Any:
        """A single item without its list."""
        return self.kind.show(value[0]) if len(value) == 1 else super().show(value)


class MapOf(Kind[dict[str, T]]):
    """A mapping whose keys are free names.

    Args:
        key: The pattern of the keys.
        kind: The kind of the values.
        least: The smallest number of entries.
    """

    def __init__(self, key: Pattern, kind: Kind[T], *, least: int = 0) -> None:
        self.key = key
        self.kind = kind
        self.least = least

    @property
    def expected(self) -> str:
        """A description of keys and values."""
        return f"a mapping from {self.key.expected} to {self.kind.expected}"

    def parse(self, node: Node, at: str, reading: Reading) -> dict[str, T] | Invalid:
        """Every entry, in order."""
        entries = reading.entries(node, at, self.expected)
        if entries is INVALID:
            return INVALID
        if len(entries) < self.least:
            return reading.problem(node, at, f"expected {self.expected}, got none")
        values: dict[str, T] = {}
        for name, (key, child) in entries.items():
            value = self.kind.parse(child, below(at, name), reading)
            if self.key.regex.fullmatch(name) is None:
                what = f"expected {self.key.expected} as key, got {quote(name)}"
                reading.problem(key, below(at, name), what)
            elif value is not INVALID:
                values[name] = value
        return values if len(values) == len(entries) else INVALID

    def schema(self) -> dict[str, Any]:
        """An object whose property names follow the pattern."""
        return {
            "type": "object",
            "propertyNames": {"pattern": self.key.schema()["pattern"]},
            "additionalProperties": self.kind.schema(),
        }

    def show(self, value: dict[str, T]) -> Any:
        """The entries, each in its written form."""
        return {name: self.kind.show(one) for name, one in value.items()}


class Optional(Kind[T | None]):
    """A value, or `null` for none."""

    def __init__(self, kind: Kind[T]) -> None:
        self.kind = kind

    @property
    def expected(self) -> str:
        """The description of the value."""
        return self.kind.expected

    def parse(self, node: Node, at: str, reading: Reading) -> T | Invalid | None:
        """The value; None for null."""
        return None if is_null(node) else self.kind.parse(node, at, reading)

    def schema(self) -> dict[str, Any]:
        """The value's schema, or null."""
        return {"anyOf": [self.kind.schema(), {"type": "null"}]}

    def show(self, value: T | None) -> Any:
        """The value in its written form; None stays."""
        return None if value is None else self.kind.show(value)


def _name(node: Node, shown: str) -> str:
    """The name of a duplicate item: as written, or as parsed."""
    return got(node) if isinstance(node, Scalar) else abridge(shown, 80)
