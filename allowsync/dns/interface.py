"""What the engine needs from a DNS client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.answer import Answer
    from allowsync.model.types import Query


class Resolve(Protocol):
    """Asks the DNS. Every query gets an answer, and nothing about the DNS is ever raised.

    However often a run asks, it has one deadline for all of it.
    """

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        """Ask everything at once and wait for all of it."""
        ...

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        """The same of every nameserver, by its name."""
        ...
