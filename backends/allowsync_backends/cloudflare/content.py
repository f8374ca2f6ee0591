"""The content of a list, by owner, and the changes to it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import Value, field
from allowsync_backends.cloudflare.marks import marks_of
from allowsync_backends.cloudflare.values import ListKind, NewItem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from allowsync.model.types import Entry, Network
    from allowsync_backends.cloudflare.marks import ItemOwnership
    from allowsync_backends.cloudflare.values import AccountList, ListItem


class Content(Value):
    """The content of a list.

    Attributes:
        ours: Items we keep, perhaps together with others.
        kept: Items other owners keep, with room for our mark.
        others: Items left to others: without any mark, or without room for another.
        crowded: Those of them that have no room.
        turned: Items we kept for the opposite effect, to be removed.
    """

    ours: dict[Network, ListItem] = field(default_factory=dict)
    kept: dict[Network, ListItem] = field(default_factory=dict)
    others: dict[Network, ListItem] = field(default_factory=dict)
    crowded: dict[Network, ListItem] = field(default_factory=dict)
    turned: dict[Network, ListItem] = field(default_factory=dict)


def sorted_out(items: Iterable[ListItem], mine: ItemOwnership, *, exclusive: bool) -> Content:
    """Sort items by owner."""
    content = Content()
    for item in items:
        if mine.is_turned(item.comment):
            content.turned[item.network] = item
        elif exclusive or mine.is_in(item.comment):
            content.ours[item.network] = item
        elif not marks_of(item.comment):
            content.others[item.network] = item
        elif mine.fits(item.comment):
            content.kept[item.network] = item
        else:
            content.others[item.network] = content.crowded[item.network] = item
    return content


def missing(content: Content, wanted: Iterable[Entry], mine: ItemOwnership) -> list[NewItem]:
    """Return the items to write so that we keep these entries, too. Marks of others stay."""
    new = []
    for entry in wanted:
        if entry.network not in content.ours:
            there = content.kept.get(entry.network)
            comment = mine.added("" if there is None else there.comment, entry.hosts)
            new.append(NewItem(entry.network, comment))
    return new


def shared(content: Content, networks: Iterable[Network], mine: ItemOwnership) -> list[NewItem]:
    """Return items, without our mark, of those networks that we share with other owners."""
    held = (content.ours[one] for one in networks if one in content.ours)
    rest = ((one.network, mine.removed(one.comment)) for one in held if mine.is_in(one.comment))
    return [NewItem(network, comment) for network, comment in rest if comment]


def alone(content: Content, networks: Iterable[Network], mine: ItemOwnership) -> list[ListItem]:
    """Return the items of those networks whose only owner is this allowlist."""
    held = (content.ours[one] for one in networks if one in content.ours)
    return [one for one in held if not mine.others_in(one.comment)]


def stored(lists: Collection[AccountList]) -> int:
    """Return the number of items in all lists of addresses of an account: they share one quota."""
    return sum(one.num_items for one in lists if one.kind is ListKind.IP)
