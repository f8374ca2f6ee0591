"""What a kind of value is: how it is read, described and shown again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from allowsync.config.schema.nodes import Node, Scalar, got

if TYPE_CHECKING:
    from allowsync.config.schema.context import Invalid, Reading

T = TypeVar("T")


class UnfitError(ValueError):
    """A scalar is not of its kind. The text is the complaint; empty means "expected X, got Y"."""


class Kind(ABC, Generic[T]):
    """One kind of value. Parsing never raises: what is wrong is noted in the reading.

    Attributes:
        hidden: Whether what is written may be secret, so that no problem may show it.
        pure: Whether a value depends on nothing but what is written: no file, no environment, no
            clock. A configuration with options of such kinds alone is validated once and kept. Each
            class says so for itself.
    """

    hidden: bool = False
    pure: bool = False

    @property
    @abstractmethod
    def expected(self) -> str:
        """What a value of this kind is, as it reads behind "expected": `a number from 1 to 9`."""

    @abstractmethod
    def parse(self, node: Node, at: str, reading: Reading) -> T | Invalid:
        """The value, or INVALID once the reading knows every problem of it.

        Args:
            node: What is written.
            at: The path of the node, such as `hosts.bob.ipv6_prefix`.
            reading: Takes the problems, and knows the folder, environment and user.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The kind as JSON Schema (draft 2020-12). It may accept more than `parse`, never less."""

    def show(self, value: T) -> Any:
        """The value as plain JSON, in the form it is written in."""
        return value


class Leaf(Kind[T]):
    """A kind whose values are single scalars."""

    @abstractmethod
    def read(self, scalar: Scalar) -> T:
        """The value of a scalar.

        Raises:
            UnfitError: It is not of this kind.
        """

    def parse(self, node: Node, at: str, reading: Reading) -> T | Invalid:
        """The value of a scalar; anything else is a problem."""
        complaint = ""
        if isinstance(node, Scalar):
            try:
                return self.read(node)
            except UnfitError as unfit:
                complaint = str(unfit)
        return reading.problem(node, at, complaint or self.complaint(node))

    def complaint(self, node: Node) -> str:
        """What is said about a node that does not fit. Secrets leave the node out."""
        return f"expected {self.expected}, got {got(node)}"
