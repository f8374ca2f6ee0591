"""The difference between what a target holds and what it should hold."""

from __future__ import annotations

from allowsync.model.types import Entry, by_network
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Plan(Value):
    """The difference between what a target holds and what it should hold, in a fixed order.

    Attributes:
        target: The target's full name.
        add: Entries to put in.
        remove: Entries to take out.
        keep: Entries that are there and wanted, with the labels they should have.
        withheld: Entries no host is known to want that stay, because not enough is known.
        repair: What is wrong around the entries (see `Current.flaws`).
    """

    target: str
    add: tuple[Entry, ...] = ()
    remove: tuple[Entry, ...] = ()
    keep: tuple[Entry, ...] = ()
    withheld: tuple[Entry, ...] = ()
    repair: tuple[str, ...] = ()

    @property
    def final(self) -> tuple[Entry, ...]:
        """Everything the target holds once the plan is carried out."""
        return self.keep + self.withheld + self.add

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.add or self.remove or self.repair)


def sorted_entries(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order of a plan."""
    return tuple(sorted(entries, key=lambda entry: by_network(entry.network)))
