"""Writes to a list, and verifies their outcome where the API did not confirm it.

A write whose reply was lost may have been carried out. Its intended result is looked for, for a few
seconds: if it is there, the write succeeded; if not, the outcome is unknown, and reported so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.value import Value
from allowsync.text import counted
from allowsync_backends.cloudflare.client import CHUNK
from allowsync_backends.cloudflare.error_messages import unconfirmed, what_happened
from allowsync_backends.cloudflare.errors import (
    CloudflareError,
    NotFound,
    OperationFailed,
    RequestRefused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.values import AccountList, ListItem, NewItem

    T = TypeVar("T")

# Pauses between reads, in seconds: most changes show within two.
LOOKS: Final = (0.5, 1.0, 2.0, 4.0)


class Writer(Value):
    """Writes to one list. The caller holds the account's lock.

    Attributes:
        client: The client to write through.
        found: The list.
    """

    client: CloudflareClient
    found: AccountList

    def put(self, new: Sequence[NewItem]) -> None:
        """Add items, or give present ones other comments; wait until that is done.

        Raises:
            CloudflareError: It was not done, or only in part.
            OutcomeUnknown: It may have been done.
        """
        for start in range(0, len(new), CHUNK):
            self._put_some(new[start : start + CHUNK])

    def remove(self, gone: Sequence[ListItem]) -> None:
        """Remove items, and wait until that is done.

        Raises:
            CloudflareError: It was not done, or only in part.
            BackendError: Another client removed one of them meanwhile.
            OutcomeUnknown: It may have been done.
        """
        for start in range(0, len(gone), CHUNK):
            self._remove_some(sorted(one.id for one in gone[start : start + CHUNK]))

    def _put_some(self, new: Sequence[NewItem]) -> None:
        items = f"{counted(len(new), 'item')} of the list {self.found.name}"
        self._settled(
            lambda: self.client.add(self.found.id, new),
            lambda: self._has(new),
            f"{items} may still be put in",
        )

    def _remove_some(self, ids: Sequence[str]) -> None:
        items = f"{counted(len(ids), 'item')} of the list {self.found.name}"
        try:
            self._settled(
                lambda: self.client.remove(self.found.id, ids),
                lambda: self._lacks(ids),
                f"{items} may still be taken out",
            )
        except NotFound as error:
            raise BackendError(f"another client removed items: {error}", again=True) from error

    def _has(self, new: Sequence[NewItem]) -> bool:
        held = {one.network: one.comment for one in self.client.items(self.found.id)}
        return all(held.get(one.network) == one.comment for one in new)

    def _lacks(self, ids: Sequence[str]) -> bool:
        return {one.id for one in self.client.items(self.found.id)}.isdisjoint(ids)

    def _settled(self, write: Callable[[], None], shows: Callable[[], bool], what: str) -> None:
        try:
            write()
        except CloudflareError as error:
            if not unconfirmed(error):
                raise
            if not _seen(self.client, shows):
                raise OutcomeUnknown(f"{what_happened(error)}; {what}") from error


def created(client: CloudflareClient, name: str, description: str) -> AccountList:
    """Create a list.

    Raises:
        CloudflareError: It was not created.
        BackendError: The API refuses to create it.
        OutcomeUnknown: It may have been created.
    """
    try:
        return client.create(name, description)
    except CloudflareError as error:
        if type(error) is RequestRefused:
            what = f"the list {name} cannot be made: {error}; a free plan has room for one list"
            raise BackendError(what) from error
        if not unconfirmed(error):
            raise
        found = _seen(client, lambda: client.find(name))
        if found is None:
            what = f"{what_happened(error)}; the list {name} may still be made"
            raise OutcomeUnknown(what) from error
        return found


def no_room(error: CloudflareError, held: int, new: int, most: int) -> str:
    """Return why the quota keeps items from being added; empty where the reason is another.

    Cloudflare publishes no code for it: that the quota is used up is found by counting.
    """
    if held + new <= most or not (
        type(error) is RequestRefused or isinstance(error, OperationFailed)
    ):
        return ""
    return (
        f"{what_happened(error)}: the lists of the account hold {held} of {most} items, and "
        f"{counted(new, 'item')} more would have to be put in before old ones go"
    )


def _seen(client: CloudflareClient, look: Callable[[], T | None]) -> T | None:
    """Return what a read finds before long; None for nothing. A failed read finds nothing."""
    budget = client.transport.budget
    for pause in LOOKS:
        if pause > budget.left:
            break
        budget.clock.sleep(pause)
        try:
            if found := look():
                return found
        except CloudflareError:
            continue
    return None
