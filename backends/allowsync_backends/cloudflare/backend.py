"""A list of a Cloudflare account as a target.

In a list that others use, too, the usual case on free plans, an item is ours by its comment.
There is one item for an address and so one owner: what somebody else holds is never written over;
that would take it from them. An address they let go of is put in by the next run.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from allowsync.backend import BackendError, Capabilities, Current, OutcomeUnknown
from allowsync.model import Entry, Family
from allowsync_backends.cloudflare import marks
from allowsync_backends.cloudflare.errors import CloudflareError
from allowsync_backends.cloudflare.values import Kind, NewItem
from allowsync_backends.cloudflare.waiting import Clock
from allowsync_backends.cloudflare.wording import unconfirmed, what_happened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.backend import Finding
    from allowsync.model import Network
    from allowsync.plan import Plan
    from allowsync_backends.cloudflare.client import Client
    from allowsync_backends.cloudflare.options import CloudflareOptions
    from allowsync_backends.cloudflare.values import AccountList, Item

# Cloudflare's "Lists with IP addresses": the widest and narrowest that an item may be.
PREFIXES: Final = {Family.IPV4: (8, 32), Family.IPV6: (12, 128)}


@dataclass(frozen=True, slots=True)
class Content:
    """What a list holds, sorted by whose it is."""

    ours: dict[Network, Item] = field(default_factory=dict)
    others: dict[Network, Item] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CloudflareBackend:
    """Keeps what is ours in one list of one account.

    Attributes:
        allowlist: The allowlist that is enforced there.
        options: Where it is, and how to get at it.
        clock: What waiting goes by.
    """

    allowlist: str
    options: CloudflareOptions
    clock: Clock = field(default_factory=Clock)

    @property
    def capabilities(self) -> Capabilities:
        """Both families, from /8 and /12. Items may cover each other."""
        return Capabilities(
            prefixes=PREFIXES,
            comment_length=marks.LONGEST,
            max_entries=self.options.max_items,
            overlaps=True,
        )

    def check(self) -> Sequence[Finding]:
        """Whether the list can be read and is used."""
        from allowsync_backends.cloudflare.check import findings

        return list(findings(self))

    def read(self) -> Current:
        """What is ours in the list."""
        with self.asking() as client:
            found = self.found(client)
            if found is None:
                return Current(flaws=(f"the list {self.options.list} does not exist",))
            content = self.content(client, found)
        return Current(frozenset(map(Entry, content.ours)), frozenset(content.others))

    def apply(self, plan: Plan) -> None:
        """Put in what is missing, then take out what is to go: nobody is shut out in between."""
        with self._changing() as client:
            found = self.found(client) or client.create(self.options.list, self._description)
            content = self.content(client, found)
            wanted = {one.network: one for one in plan.final if one.network not in content.ours}
            taken = wanted.keys() & content.others.keys()
            if taken:
                named = ", ".join(sorted(map(str, taken)))
                raise BackendError(f"somebody else put {named} there meanwhile", again=True)
            new = [NewItem(one, self._comment(entry)) for one, entry in wanted.items()]
            gone = [
                content.ours[one.network].id for one in plan.remove if one.network in content.ours
            ]
            if new:
                client.add(found.id, new)
            if gone:
                client.remove(found.id, gone)

    def clear(self) -> None:
        """Take out what is ours, and delete a list that we made and nobody else uses."""
        with self._changing() as client:
            found = self.found(client, create=True)
            if found is None:
                return
            content = self.content(client, found)
            if content.ours:
                client.remove(found.id, [one.id for one in content.ours.values()])
            used = content.others or found.num_referencing_filters
            if found.description == self._description and not used:
                client.delete(found.id)

    def found(self, client: Client, *, create: bool | None = None) -> AccountList | None:
        """The list; None when there is none, and it is to be made.

        Raises:
            BackendError: There is none, and it is not to be made; or it is none of addresses.
        """
        name = self.options.list
        one = client.find(name)
        if one is None and not (self.options.create if create is None else create):
            raise BackendError(f"the account has no list {name!r}, and create is false: make it")
        if one is not None and one.kind is not Kind.IP:
            raise BackendError(f"the list {name!r} holds {one.kind.value} items, not addresses")
        return one

    def content(self, client: Client, found: AccountList) -> Content:
        """What the list holds."""
        mine = marks.prefix(self.allowlist, self.options.owner)
        content = Content()
        for item in client.items(found.id):
            ours = self.options.exclusive or item.comment.startswith(mine)
            (content.ours if ours else content.others)[item.network] = item
        return content

    @contextmanager
    def asking(self) -> Iterator[Client]:
        """A client. What goes wrong is a `BackendError`."""
        try:
            from allowsync_backends.cloudflare.client import connect
        except ImportError as error:
            raise BackendError(
                "Cloudflare needs the package httpx: pip install 'allowsync[cloudflare]'"
            ) from error
        on = self.options
        try:
            with connect(on.api_url, on.token, on.account_id, clock=self.clock) as client:
                yield client
        except CloudflareError as error:
            if unconfirmed(error):
                raise OutcomeUnknown(str(error)) from error
            raise BackendError(what_happened(error)) from error

    @contextmanager
    def _changing(self) -> Iterator[Client]:
        from allowsync_backends.cloudflare.locking import one_writer

        with (
            self.asking() as client,
            one_writer(self.options.account_id, client.transport.budget),
        ):
            yield client

    @property
    def _description(self) -> str:
        """What a list is described as that is made by us."""
        return f"Made by allowsync for {self.allowlist}"

    def _comment(self, entry: Entry) -> str:
        return marks.comment(self.allowlist, self.options.owner, entry.hosts)
