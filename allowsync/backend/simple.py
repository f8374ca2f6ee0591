"""The backend of a place that is read whole and written whole, and is all its owner's.

For anything else (strangers' entries at the same place, rules around the entries that can break),
implement `allowsync.backend.Backend`.
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
    """A set, a table or a file whose every entry is allowsync's."""

    def read(self) -> Iterable[Entry]:
        """The entries it holds. Changes nothing.

        Raises:
            BackendError: They could not be found out. A store that does not exist yet is empty;
                one that could not be asked is not.
            OSError: The same; `SimpleBackend` makes a BackendError of it.
            ValueError: What it holds is not understood; a BackendError as well.
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
    """Makes a whole `Backend` of an `EntryStore`."""

    def __init__(self, store: EntryStore, capabilities: Capabilities | None = None) -> None:
        """Take a store, and what it can hold: any network, unless said otherwise.

        Say `Capabilities(atomic=True)` where `write` is one step.
        """
        self._store = store
        self._capabilities = capabilities or Capabilities()

    @property
    def capabilities(self) -> Capabilities:
        """As given."""
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        """Whether the store can be read."""
        try:
            self.read()
        except BackendError as error:
            return (Finding(Severity.ERROR, str(error)),)
        return ()

    def read(self) -> Current:
        """What the store holds.

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
        """Write no entries, where there are any.

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
