"""The interface of a kind of value: reading, schema and display."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from allowsync.config.schema.nodes import Node, Scalar, got

if TYPE_CHECKING:
    from allowsync.config.schema.context import Invalid, Reading

T = TypeVar("T")


class UnfitError(ValueError):
    """A scalar is not of its kind. The text is the message; empty means "expected X, got Y"."""


class Kind(ABC, Generic[T]):
    """One kind of value. Parsing never raises: problems are noted in the reading.

    Attributes:
        hidden: Whether the written value may be secret, so that no problem may show it.
        pure: Whether a value depends on the written text alone: no file, no environment, no clock.
            A configuration with only such options is validated once and cached. Not inherited:
            each class declares it.
    """

    hidden: bool = False
    pure: bool = False

    @property
    @abstractmethod
    def expected(self) -> str:
        """A description of a value, as it reads after "expected": `a number from 1 to 9`."""

    @abstractmethod
    def parse(self, node: Node, at: str, reading: Reading) -> T | Invalid:
        """The value, or INVALID with every problem of it noted in the reading.

        Args:
            node: The written node.
            at: The path of the node, such as `hosts.bob.ipv6_prefix`.
            reading: Collects the problems, and knows the folder, environment and user.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The kind as JSON Schema (draft 2020-12). It may accept more than `parse`, never less."""

    def show(self, value: T) -> Any:
        """The value as plain JSON, in its written form."""
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
        """The message about a node that does not fit. Secrets leave the node out."""
        return f"expected {self.expected}, got {got(node)}"
