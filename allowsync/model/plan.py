"""The difference between the current and the desired entries of a target."""

from __future__ import annotations

from allowsync.model.types import Entry, by_network
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Plan(Value):
    """The difference between the current and the desired entries of a target, in a fixed order.

    Attributes:
        target: The target's full name.
        add: Entries to add.
        remove: Entries to remove.
        keep: Entries that are present and wanted, with their desired labels.
        withheld: Unwanted entries that are retained, because not enough is known.
        repair: The flaws around the entries (see `Current.flaws`).
    """

    target: str
    add: tuple[Entry, ...] = ()
    remove: tuple[Entry, ...] = ()
    keep: tuple[Entry, ...] = ()
    withheld: tuple[Entry, ...] = ()
    repair: tuple[str, ...] = ()

    @property
    def final(self) -> tuple[Entry, ...]:
        """All entries of the target once the plan is applied."""
        return self.keep + self.withheld + self.add

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.add or self.remove or self.repair)


def sorted_entries(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order of a plan."""
    return tuple(sorted(entries, key=lambda entry: by_network(entry.network)))
