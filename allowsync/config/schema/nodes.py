"""A configuration as written: immutable nodes that know their line."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeAlias, assert_never

from allowsync.model.value import Value
from allowsync.text import abridge, quote


class ScalarType(Enum):
    """The type of a scalar in YAML 1.2's core schema."""

    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    TEXT = "text"


class Scalar(Value):
    """A single value, as its source text and its type. Lines are counted from 1."""

    text: str
    type: ScalarType
    line: int = 0


class Sequence(Value):
    """A list."""

    items: tuple[Node, ...]
    line: int = 0


class Mapping(Value):
    """Keys and values in the order of the file; there may still be duplicate keys."""

    entries: tuple[tuple[Node, Node], ...]
    line: int = 0


Node: TypeAlias = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Whether a node is empty or `null`."""
    return isinstance(node, Scalar) and node.type is ScalarType.NULL


def got(node: Node) -> str:
    """A node as it reads after "got" in a problem."""
    match node:
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(text, ScalarType.TEXT):
            return quote(text)
        case Scalar(_, ScalarType.NULL):
            return "nothing"
        case Scalar(text):
            return abridge(text, 40)
        case _:
            assert_never(node)


def from_plain(value: Any, line: int = 0) -> Node:
    """The node of a plain JSON value.

    Raises:
        TypeError: The value is not one that JSON has.
    """
    match value:
        case None:
            return Scalar("", ScalarType.NULL, line)
        case bool():
            return Scalar("true" if value else "false", ScalarType.BOOLEAN, line)
        case int():
            return Scalar(str(value), ScalarType.INTEGER, line)
        case float():
            return Scalar(repr(value), ScalarType.FLOAT, line)
        case str():
            return Scalar(value, ScalarType.TEXT, line)
        case list() | tuple():
            return Sequence(tuple(from_plain(item, line) for item in value), line)
        case dict():
            pairs = ((from_plain(key, line), from_plain(one, line)) for key, one in value.items())
            return Mapping(tuple(pairs), line)
        case _:
            raise TypeError(f"not a plain value: {type(value).__name__}")
