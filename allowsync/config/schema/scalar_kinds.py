"""The kinds of single values: text, numbers, choices, paths."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allowsync.config.errors import one_of, suggestion
from allowsync.config.schema.context import INVALID, Invalid
from allowsync.config.schema.kind import Kind, Leaf, UnfitError
from allowsync.config.schema.nodes import Node, Scalar, ScalarType, got
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.config.schema.context import Reading

E = TypeVar("E", bound=Enum)

# Longer than any number that makes sense; `int` refuses text of many thousand digits.
LONGEST_NUMBER: Final = 40


class Text(Leaf[str]):
    """Printable text, not empty."""

    def __init__(self, expected: str = "text", *, longest: int = 4096) -> None:
        self._expected = expected
        self.longest = longest

    @property
    def expected(self) -> str:
        """The description of the text."""
        return self._expected

    def read(self, scalar: Scalar) -> str:
        """The text itself. An unquoted number or `true` is no text."""
        text = scalar.text
        if scalar.type is not ScalarType.TEXT:
            hint = " (text that looks like this needs quotes)" if self._fits(text) else ""
            raise UnfitError(f"expected {self.expected}, got {got(scalar)}{hint}")
        if not text.isprintable():
            raise UnfitError(f"{got(scalar)} holds a control or invisible character")
        if len(text) > self.longest:
            raise UnfitError(f"expected at most {self.longest} characters, got {len(text)}")
        if not self._fits(text):
            raise UnfitError
        return text

    def _fits(self, text: str) -> bool:
        return text != ""

    def schema(self) -> dict[str, Any]:
        """Text of a bounded length."""
        return {"type": "string", "minLength": 1, "maxLength": self.longest}


class Pattern(Text):
    """Text that a regular expression matches as a whole."""

    def __init__(self, regex: str, expected: str, *, longest: int = 4096) -> None:
        super().__init__(expected, longest=longest)
        self._regex = regex

    @property
    def regex(self) -> re.Pattern[str]:
        """The expression, compiled on first use: most kinds are not used in a run."""
        return re.compile(self._regex)

    def _fits(self, text: str) -> bool:
        return self.regex.fullmatch(text) is not None

    def schema(self) -> dict[str, Any]:
        """The expression, anchored at both ends."""
        return {"type": "string", "pattern": f"^(?:{self._regex})$"}


class Name(Pattern):
    """A name. It needs no quotes, even if YAML reads it as `null`, `1` or `1.5`."""

    def read(self, scalar: Scalar) -> str:
        """The name as written."""
        if not self._fits(scalar.text):
            raise UnfitError
        return scalar.text

    def schema(self) -> dict[str, Any]:
        """The expression; it does not constrain scalars that are no strings in JSON."""
        return {"type": ["string", "number", "boolean", "null"], **_only_pattern(super().schema())}


class Integer(Leaf[int]):
    """A whole number within bounds, both included."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    @property
    def expected(self) -> str:
        """The bounds."""
        return f"a number from {self.low} to {self.high}"

    def read(self, scalar: Scalar) -> int:
        """A decimal, `0o` octal or `0x` hexadecimal number."""
        if scalar.type is not ScalarType.INTEGER or len(scalar.text) > LONGEST_NUMBER:
            raise UnfitError
        # Base 0 would refuse `012`, which YAML 1.2 reads as twelve.
        value = int(scalar.text, 0 if scalar.text[:2] in ("0o", "0x") else 10)
        if not self.low <= value <= self.high:
            raise UnfitError
        return value

    def schema(self) -> dict[str, Any]:
        """An integer with bounds."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Number(Leaf[float]):
    """A number within bounds, both included."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    @property
    def expected(self) -> str:
        """The bounds."""
        return f"a number from {self.low:g} to {self.high:g}"

    def read(self, scalar: Scalar) -> float:
        """A decimal number; infinities and NaN are refused."""
        numeric = scalar.type in (ScalarType.INTEGER, ScalarType.FLOAT)
        if not numeric or len(scalar.text) > LONGEST_NUMBER:
            raise UnfitError
        try:
            value = float(scalar.text)
        except ValueError:  # `.inf`, `.nan`, `0x10`
            raise UnfitError from None
        if not self.low <= value <= self.high:
            raise UnfitError
        return value

    def schema(self) -> dict[str, Any]:
        """A number with bounds."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


class Boolean(Leaf[bool]):
    """`true` or `false`."""

    @property
    def expected(self) -> str:
        """The two words."""
        return "true or false"

    def read(self, scalar: Scalar) -> bool:
        """A boolean of YAML 1.2's core schema: `yes` and `on` are text there."""
        if scalar.type is not ScalarType.BOOLEAN:
            raise UnfitError
        return scalar.text.lower() == "true"

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


class Choice(Leaf[E]):
    """One member of an enumeration, or of a part of it, written as its text value."""

    def __init__(self, members: Iterable[E]) -> None:
        self.members: dict[str, E] = {str(member.value): member for member in members}

    @property
    def expected(self) -> str:
        """The valid values."""
        return one_of(self.members)

    def read(self, scalar: Scalar) -> E:
        """The member with this value."""
        member = self.members.get(scalar.text) if scalar.type is ScalarType.TEXT else None
        if member is None:
            hint = suggestion(scalar.text, self.members)
            raise UnfitError(f"expected {self.expected}, got {got(scalar)}{hint}")
        return member

    def schema(self) -> dict[str, Any]:
        """The valid values."""
        return {"type": "string", "enum": list(self.members)}

    def show(self, value: E) -> Any:
        """The member's value."""
        return value.value


class AbsolutePath(Kind[Path]):
    """A path. A relative one starts at the folder of the configuration; the value is absolute.

    Args:
        expected: The description of the path.
        suffix: The required suffix.
    """

    def __init__(self, expected: str = "a path", *, suffix: str = "") -> None:
        self._text = Text(expected + (f" ending in {suffix}" if suffix else ""))
        self.suffix = suffix

    @property
    def expected(self) -> str:
        """The description of the path."""
        return self._text.expected

    def parse(self, node: Node, at: str, reading: Reading) -> Path | Invalid:
        """The absolute path. The file system is not accessed."""
        text = self._text.parse(node, at, reading)
        if text is INVALID:
            return INVALID
        if text.startswith("~"):
            what = f"{quote(text)}: `~` is not expanded here; write the whole path"
            return reading.problem(node, at, what)
        path = reading.folder / text
        if text.endswith(("/", "/.", "/..")) or not path.name.endswith(self.suffix or path.name):
            return reading.problem(node, at, f"expected {self.expected}, got {quote(text)}")
        return path

    def schema(self) -> dict[str, Any]:
        """Text."""
        return self._text.schema()

    def show(self, value: Path) -> Any:
        """The path as text."""
        return str(value)


def _only_pattern(schema: dict[str, Any]) -> dict[str, Any]:
    return {"pattern": schema["pattern"]}
