"""Where the story plays: what the demo needs to know of the thing that is guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from contextlib import AbstractContextManager

    from people import Visitor


class Scene(Protocol):
    """A place an allowlist is enforced, and a way to find out whom it lets in."""

    @property
    def target(self) -> str:
        """The target, as the configuration says it."""
        ...

    @property
    def target_name(self) -> str:
        """The target, as allowsync calls it."""
        ...

    @property
    def open_unguarded(self) -> bool:
        """Whether everyone gets in, rather than no one, while allowsync owns nothing here."""
        ...

    @property
    def shows(self) -> tuple[str, ...]:
        """A command that shows what is enforced now; empty where connections show it."""
        ...

    def entered(self) -> AbstractContextManager[None]:
        """Be where allowsync runs and where its name server listens."""
        ...

    def let_in(self, visitor: Visitor) -> str:
        """The words for a client with access."""
        ...

    def kept_out(self, visitor: Visitor) -> str:
        """The words for a client without access."""
        ...

    def admitted(self, addresses: Collection[str], patience: float) -> Mapping[str, bool]:
        """Which addresses are let in, found out within so many seconds.

        Raises:
            OSError: Something happened that is neither.
        """
        ...


def listed(visitor: Visitor) -> str:
    """A visitor's addresses in a sentence."""
    return " and ".join(visitor.addresses)
