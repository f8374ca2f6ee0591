"""The items of a list: read in pages, written by operations."""

from __future__ import annotations

from ipaddress import ip_network
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from testkit.fake_cloudflare import operations, validation
from testkit.fake_cloudflare.replies import CallRefused, invalid, not_found, success
from testkit.fake_cloudflare.state import Item, identifier, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from testkit.fake_cloudflare.calls import RoutedCall
    from testkit.fake_cloudflare.replies import FakeReply
    from testkit.fake_cloudflare.state import Account, ItemList

    Given = dict[str, tuple[Any, str | None]]

_PAGE: Final = 25
_LARGEST_PAGE: Final = 500


def index(call: RoutedCall) -> FakeReply:
    """A page of items. A cursor leads on in the list it was given for, and in no other."""
    found = call.list
    size = _page_size(call.query.get("per_page"))
    after, search = None, call.query.get("search", "")
    if "cursor" in call.query:
        stands_for = call.cloud.cursors.get(call.query["cursor"])
        if stands_for is None or stands_for[0] != found.id:
            raise invalid("the cursor is not one of this list")
        _, after, search = stands_for
    places = {_place(found, item): item for item in found.items.values()}
    rest = [
        places[place]
        for place in sorted(places)
        if (after is None or place > after) and str(places[place].value).startswith(search)
    ]
    page = rest[:size]
    cursors = {}
    if len(rest) > size:
        cursors["after"] = token_urlsafe(24)
        call.cloud.cursors[cursors["after"]] = (found.id, _place(found, page[-1]), search)
    return success([shown(found, item) for item in page], {"cursors": cursors})


def _place(found: ItemList, item: Item) -> tuple[int, ...]:
    """Where an item stands: addresses by their numbers, IPv4 first; others as they came."""
    if found.kind != "ip":
        return (item.number,)
    network = ip_network(item.value)
    return (network.version, int(network.network_address), network.prefixlen)


def _page_size(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LARGEST_PAGE:
        raise invalid(f"per_page is a number from 1 to {_LARGEST_PAGE}")
    return int(text)


def show(call: RoutedCall) -> FakeReply:
    """One item."""
    found = call.list
    for item in found.items.values():
        if item.id == call.params["item"]:
            return success(shown(found, item))
    raise not_found("could not find the item")


def create(call: RoutedCall) -> FakeReply:
    """Add items; one that is there already gets the comment that is given now, or none."""
    found = call.list
    given = validation.items(call.body, found.kind)
    after = set(found.items) | set(given)
    return _begin(call, found, _Extent(after, len(given)), lambda: put(found, given))


def replace(call: RoutedCall) -> FakeReply:
    """Remove all items and store these, each with a new identifier. It may be none."""
    found = call.list
    given = validation.items(call.body, found.kind) if call.body != [] else {}

    def change() -> None:
        found.items.clear()
        put(found, given)

    return _begin(call, found, _Extent(set(given), len(found.items) + len(given)), change)


def delete(call: RoutedCall) -> FakeReply:
    """Remove items by their identifiers. One that is not there spoils the whole request."""
    found = call.list
    doomed = set(validation.identifiers(call.body))
    if doomed - {item.id for item in found.items.values()}:
        raise not_found("could not find the item")

    def change() -> None:
        for key in [key for key, item in found.items.items() if item.id in doomed]:
            del found.items[key]
        found.modified = timestamp()

    return _begin(call, found, _Extent(frozenset(), len(doomed)), change)


def put(found: ItemList, given: Given) -> None:
    """Store items in a list."""
    now = timestamp()
    for key, (value, comment) in given.items():
        if key in found.items:
            found.items[key].comment = comment
            found.items[key].modified = now
        else:
            found.number += 1
            found.items[key] = Item(value, comment, found.number, identifier(), now, now)
    found.modified = now


class _Extent(NamedTuple):
    """What a write means: what the list holds after it, and how many items it changes."""

    after: Set[str]
    changes: int


def _begin(
    call: RoutedCall, found: ItemList, extent: _Extent, change: Callable[[], None]
) -> FakeReply:
    """Accept a write, unless something keeps it from being carried out."""
    account, after = call.account, extent.after
    operations.none_pending(account)
    if not call.fate.late_quota:
        _fits(account, found, after)
    account.modifications.spend(extent.changes, call.cloud.clock())

    def carried_out() -> None:
        if call.fate.error is not None:
            raise invalid(call.fate.error)
        _fits(account, found, after)
        change()

    delay = call.fate.delay or call.cloud.delay
    operation = operations.begin(call.cloud, account, carried_out, delay)
    return success({"operation_id": operation.id})


def _fits(account: Account, found: ItemList, after: Set[str]) -> None:
    """Raise `CallRefused` when the account would hold more items than its plan allows."""
    total = account.stored - len(found.items) + len(after)
    if found.kind == "ip" and total > account.plan.items:
        raise CallRefused(400, 19403, "the plan of the account allows no more items")


def shown(found: ItemList, item: Item) -> dict[str, Any]:
    """An item as it is answered."""
    answer = {
        "id": item.id,
        found.kind: item.value,
        "created_on": item.created,
        "modified_on": item.modified,
    }
    if item.comment is not None:
        answer["comment"] = item.comment
    return answer
