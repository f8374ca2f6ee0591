"""The DNS client as the engine uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.answer import Answer
    from allowsync.model.types import Query


class Resolve(Protocol):
    """Asks the DNS. Every query gets an answer, and no DNS failure is ever raised.

    All calls of one run share one deadline.
    """

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        """Ask all queries at once and wait for all answers."""
        ...

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        """Ask each nameserver; answers by the nameserver's name."""
        ...
