"""The changes that a command makes to a list, as a value. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value
from allowsync_backends.cloudflare.marks import marked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network
    from allowsync_backends.cloudflare.commands.owners import ItemOwner, Owners
    from allowsync_backends.cloudflare.values import ListItem, NewItem


class Objection(Value):
    """The reason for refusing a change without --force."""

    network: Network
    why: str


class Changes(Value):
    """The changes of a list, everything in the order of the addresses.

    Attributes:
        add: New items.
        comment: Items that get another comment: before and after.
        remove: Items to remove.
        unchanged: Items present as wanted already.
        missing: Networks to remove that are not there.
        objections: Reasons against it; nothing may be done while there are any.
    """

    add: tuple[NewItem, ...] = ()
    comment: tuple[tuple[ListItem, NewItem], ...] = ()
    remove: tuple[ListItem, ...] = ()
    unchanged: tuple[ListItem, ...] = ()
    missing: tuple[Network, ...] = ()
    objections: tuple[Objection, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.add or self.comment or self.remove)

    @property
    def takes_away(self) -> bool:
        """Whether an item, or the comment of one, would be lost."""
        return bool(self.comment or self.remove)

    @property
    def put(self) -> tuple[NewItem, ...]:
        """All items to write."""
        return (*self.add, *(after for _, after in self.comment))


def adding(held: Iterable[ListItem], wanted: Iterable[NewItem], owners: Owners) -> Changes:
    """Return the changes to add items. A wanted item without a comment keeps the present one."""
    there = {one.network: one for one in held}
    add, comment, unchanged = [], [], []
    objections: list[Objection] = []
    for new in sorted(wanted, key=_place):
        old = there.get(new.network)
        if old is not None and new.comment in ("", old.comment):
            unchanged.append(old)
            continue
        objections += _against_adding(new, None if old is None else owners.of(old), owners)
        if old is None:
            add.append(new)
        else:
            comment.append((old, new))
    return Changes(
        tuple(add), tuple(comment), unchanged=tuple(unchanged), objections=tuple(objections)
    )


def removing(held: Iterable[ListItem], unwanted: Iterable[Network], owners: Owners) -> Changes:
    """Return the changes to remove networks. Only items for the very same networks are meant."""
    there = {one.network: one for one in held}
    remove, missing = [], []
    objections: list[Objection] = []
    for network in sorted(set(unwanted), key=_order):
        old = there.get(network)
        if old is None:
            missing.append(network)
            continue
        remove.append(old)
        owner = owners.of(old)
        if owner.allowlist or marked(old.comment):
            why = f"{owner} keeps it, so the next run there would bring it back"
            objections.append(Objection(network, why))
    return Changes(remove=tuple(remove), missing=tuple(missing), objections=tuple(objections))


def _against_adding(new: NewItem, holder: ItemOwner | None, owners: Owners) -> list[Objection]:
    if owners.whole is not None:
        why = f"the whole list belongs to {owners.whole.target}, whose next run would undo it"
        return [Objection(new.network, why)]
    if holder is not None and holder.allowlist:
        why = f"{holder} keeps it, and another comment would take it from there"
        return [Objection(new.network, why)]
    if marked(new.comment):
        why = "a comment that begins with 'allowsync:' makes it an allowlist's, which may remove it"
        return [Objection(new.network, why)]
    return []


def _place(new: NewItem) -> tuple[int, int, int]:
    return _order(new.network)


def _order(network: Network) -> tuple[int, int, int]:
    return (network.version, int(network.network_address), network.prefixlen)


def in_order(items: Iterable[ListItem]) -> list[ListItem]:
    """Sort items by their addresses, IPv4 first."""
    return sorted(items, key=lambda one: _order(one.network))
