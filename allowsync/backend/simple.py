"""The backend of a store that is read and written as a whole and belongs to allowsync alone.

For other places (foreign entries beside ours, rules around the entries that can break), implement
`allowsync.backend.Backend`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from allowsync.backend.api import BackendError
from allowsync.model.target import Capabilities, Current, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.types import Entry


class EntryStore(Protocol):
    """A set, a table or a file whose entries are all allowsync's."""

    def read(self) -> Iterable[Entry]:
        """The entries it holds. Changes nothing.

        Raises:
            BackendError: They could not be read. A store that does not exist yet is empty; an
                unreachable one is not.
            OSError: The same; `SimpleBackend` makes a BackendError of it.
            ValueError: The content is malformed; a BackendError as well.
        """
        ...

    def write(self, entries: Sequence[Entry]) -> None:
        """Make it hold exactly these entries: in one step, or adding before removing.

        Raises:
            BackendError: It was not changed, or only in part (then never with less).
            OutcomeUnknown: It may or may not have been changed.
            OSError: As BackendError.
        """
        ...


class SimpleBackend:
    """Implements `Backend` on top of an `EntryStore`."""

    def __init__(self, store: EntryStore, capabilities: Capabilities | None = None) -> None:
        """Take a store and its capabilities: any network, unless given otherwise.

        Pass `Capabilities(atomic=True)` if `write` is one step.
        """
        self._store = store
        self._capabilities = capabilities or Capabilities()

    @property
    def capabilities(self) -> Capabilities:
        """As given."""
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        """An error finding if the store cannot be read."""
        try:
            self.read()
        except BackendError as error:
            return (Finding(Severity.ERROR, str(error)),)
        return ()

    def read(self) -> Current:
        """The store's entries.

        Raises:
            BackendError: It could not be read.
        """
        try:
            return Current(frozenset(self._store.read()))
        except OSError as error:
            raise BackendError(f"it could not be read: {_reason(error)}") from error
        except ValueError as error:
            raise BackendError(f"what it holds is not understood: {error}") from error

    def apply(self, plan: Plan) -> None:
        """Write the final entries.

        Raises:
            BackendError: They were not written, or only in part.
            OutcomeUnknown: They may have been.
        """
        if not plan.idle:
            self._write(plan.final)

    def clear(self) -> None:
        """Write no entries, if there are any.

        Raises:
            BackendError: Some may be left.
        """
        if self.read().entries:
            self._write(())

    def _write(self, entries: Sequence[Entry]) -> None:
        try:
            self._store.write(entries)
        except OSError as error:
            why = f"it was not changed, or only in part: {_reason(error)}"
            raise BackendError(why) from error


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
