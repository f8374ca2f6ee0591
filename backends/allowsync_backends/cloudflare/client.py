"""A typed client for the parts of Cloudflare's API that manage lists.

    with connect(API_URL, token, account) as client:
        mine = client.find("jellyfin") or client.create("jellyfin", "friends")
        client.add(mine.id, [NewItem(ip_network("203.0.113.7"), "alice")])

Methods that change items wait until the change has been carried out. Every method may raise a
`CloudflareError` (see `errors`): from a read-only method it means that nothing is known.
Endpoints: developers.cloudflare.com/api, "Lists".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allowsync_backends.cloudflare import api_parser
from allowsync_backends.cloudflare.errors import ApiCall, UnreadableReply
from allowsync_backends.cloudflare.operations import finished
from allowsync_backends.cloudflare.time_budget import Budget, PollClock
from allowsync_backends.cloudflare.transport import ApiTransport
from allowsync_backends.cloudflare.values import BulkOperation, ListKind, NewItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from allowsync.config.secrets import Secret
    from allowsync_backends.cloudflare.replies import ApiReply
    from allowsync_backends.cloudflare.values import AccountList, ListItem, PublishedRanges

    T = TypeVar("T")

PAGE: Final = 500  # items; the API's limit
CHUNK: Final = 1000  # items changed by one request
_MOST_PAGES: Final = 2000
PATIENCE: Final = 240.0  # seconds: done before the next run begins


class CloudflareClient:
    """The lists of one account.

    Args:
        transport: Sends the requests.
        account: The account's id.
    """

    def __init__(self, transport: ApiTransport, account: str) -> None:
        self.transport = transport
        self.account = account
        self._base = f"/accounts/{account}/rules/lists"

    def lists(self) -> tuple[AccountList, ...]:
        """Return every list of the account, sorted by name."""
        reply = self.transport.read(self._base)
        found = parsed("GET", self._base, reply, each(api_parser.account_list))
        return tuple(sorted(found, key=lambda one: one.name))

    def find(self, name: str) -> AccountList | None:
        """Return the list of that name; None when the account has none."""
        return next((one for one in self.lists() if one.name == name), None)

    def get(self, list_id: str) -> AccountList:
        """Return one list."""
        path = f"{self._base}/{list_id}"
        return parsed("GET", path, self.transport.read(path), api_parser.account_list)

    def create(self, name: str, description: str = "", kind: ListKind = ListKind.IP) -> AccountList:
        """Make an empty list. Its name must be new, and of `[a-z0-9_]{1,50}`."""
        body = {"name": name, "kind": kind.value, "description": description}
        reply = self.transport.write("POST", self._base, body)
        return parsed("POST", self._base, reply, api_parser.account_list)

    def describe(self, list_id: str, description: str) -> AccountList:
        """Change a list's description, its only property that can be changed."""
        path = f"{self._base}/{list_id}"
        reply = self.transport.write("PUT", path, {"description": description})
        return parsed("PUT", path, reply, api_parser.account_list)

    def delete(self, list_id: str) -> None:
        """Delete a list with all its items. Refused while a rule refers to it."""
        self.transport.write("DELETE", f"{self._base}/{list_id}")

    def items(self, list_id: str, search: str = "") -> tuple[ListItem, ...]:
        """Return every item of a list, or those that match a search, in the API's order."""
        path = f"{self._base}/{list_id}/items"
        params = {"per_page": str(PAGE), **({"search": search} if search else {})}
        found: list[ListItem] = []
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            reply = self.transport.read(path, params)
            found += parsed("GET", path, reply, each(api_parser.item))
            if not reply.cursor:
                return tuple(found)
            if reply.cursor in seen:
                break
            seen.add(reply.cursor)
            params["cursor"] = reply.cursor
        raise UnreadableReply(ApiCall("GET", path), 200, "pages without an end")

    def item(self, list_id: str, item_id: str) -> ListItem:
        """Return one item."""
        path = f"{self._base}/{list_id}/items/{item_id}"
        return parsed("GET", path, self.transport.read(path), api_parser.item)

    def add(self, list_id: str, items: Iterable[NewItem]) -> None:
        """Add items and wait. An item present for the same network gets the new comment."""
        body = [api_parser.as_item(one) for one in items]
        for part in _chunks(body):
            self._change("POST", list_id, part)

    def replace(self, list_id: str, items: Iterable[NewItem]) -> None:
        """Replace a list's content by these items, and wait. One request for any number."""
        self._change("PUT", list_id, [api_parser.as_item(one) for one in items])

    def remove(self, list_id: str, item_ids: Iterable[str]) -> None:
        """Remove items by their ids, and wait."""
        for part in _chunks([{"id": one} for one in item_ids]):
            self._change("DELETE", list_id, {"items": part})

    def operation(self, operation_id: str) -> BulkOperation:
        """Return the progress of an asynchronous operation."""
        path = f"{self._base}/bulk_operations/{operation_id}"
        return parsed("GET", path, self.transport.read(path), api_parser.operation)

    def published_ranges(self) -> PublishedRanges:
        """Return the networks Cloudflare itself connects from. Needs no token."""
        return parsed("GET", "/ips", self.transport.read("/ips"), api_parser.published)

    def _change(self, method: str, list_id: str, body: Any) -> BulkOperation:
        path = f"{self._base}/{list_id}/items"
        reply = self.transport.write(method, path, body)
        operation_id = parsed(method, path, reply, _operation_id)
        call = ApiCall(method, path)
        return finished(lambda: self.operation(operation_id), call, self.transport.budget)


@contextmanager
def connect(
    url: str,
    token: Secret | None,
    account: str,
    *,
    clock: PollClock | None = None,
    patience: float = PATIENCE,
) -> Iterator[CloudflareClient]:
    """Yield a client for one piece of work, all of which may take `patience` seconds."""
    budget = Budget.of(clock or PollClock(), patience)
    with ApiTransport(url.rstrip("/"), token, budget) as transport:
        yield CloudflareClient(transport, account)


def parsed(method: str, path: str, reply: ApiReply, parse: Callable[[Any], T]) -> T:
    """Parse the result of a reply.

    Raises:
        UnreadableReply: It does not have the expected form. A retry would not help.
    """
    try:
        return parse(reply.result)
    except api_parser.ParseError as error:
        raise UnreadableReply(ApiCall(method, path), 200, str(error)) from error


def each(parse: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Return a parser of arrays, whose elements `parse` reads."""
    return lambda result: tuple(parse(one) for one in api_parser.perhaps_none(result))


def _operation_id(result: Any) -> str:
    return api_parser.identifier(api_parser.mapping(result), "operation_id")


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
