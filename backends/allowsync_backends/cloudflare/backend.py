"""A list of a Cloudflare account as a target.

In a shared list, the usual case on free plans, an item is ours by a mark in its comment. There is
one item for an address: an item with several owners carries the marks of all of them, each adds and
removes its own alone, and the last one deletes the item. An item without a mark belongs to another
owner, and is never overwritten.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Capabilities, Current, Effect
from allowsync.model.types import Entry, Family
from allowsync.model.value import Value, field
from allowsync_backends.cloudflare import marks
from allowsync_backends.cloudflare.content import (
    Content,
    alone,
    missing,
    shared,
    sorted_out,
    stored,
)
from allowsync_backends.cloudflare.error_messages import unconfirmed, what_happened
from allowsync_backends.cloudflare.errors import CloudflareError
from allowsync_backends.cloudflare.time_budget import PollClock
from allowsync_backends.cloudflare.values import ListKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.model.types import Network
    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.list_writer import Writer
    from allowsync_backends.cloudflare.options import CloudflareOptions
    from allowsync_backends.cloudflare.rule_effect import RulesOfZones
    from allowsync_backends.cloudflare.values import AccountList, NewItem

# Cloudflare's "Lists with IP addresses": the widest and narrowest that an item may be.
PREFIXES: Final = {Family.IPV4: (8, 32), Family.IPV6: (12, 128)}


@dataclass(slots=True)
class Taken:
    """The part of the account's quota used by others' items, when it was last read."""

    items: int = 0


class CloudflareBackend(Value):
    """Keeps our items in one list of one account.

    Attributes:
        allowlist: The allowlist that is enforced there.
        options: The account, the list and the access to it.
        clock: The clock for waiting.
        taken: The others' items, counted by the last `read`.
        effect: The effect that rules are to give the list's items.
    """

    allowlist: str
    options: CloudflareOptions
    clock: PollClock = field(default_factory=PollClock)
    taken: Taken = field(default_factory=Taken, compare=False)
    effect: Effect = Effect.ALLOW

    # More than a piece of work may take (`client.PATIENCE`), which ends with a reason of its own.
    patience = 250.0

    @property
    def capabilities(self) -> Capabilities:
        """Both families, from /8 and /12. Items may cover each other."""
        return Capabilities(
            prefixes=PREFIXES,
            max_entries=max(0, self.options.max_items - self.taken.items),
            overlaps=True,
        )

    def check(self) -> Sequence[Finding]:
        """Check whether the list can be read and is used."""
        from allowsync_backends.cloudflare.check import findings

        return list(findings(self._look, self._rules, self.mine, self.options, self.effect))

    def _rules(self) -> RulesOfZones:
        """Return the custom rules of the zones that the token sees."""
        from allowsync_backends.cloudflare.rule_effect import RulesOfZones
        from allowsync_backends.cloudflare.zones import Zones, zones

        with self.asking() as client:
            asking = Zones(client.transport)
            seen = list(zones(client))
            found = ((one.name, asking.rules(one.id)) for one in seen)
            rules = {name: () if of is None else of.rules for name, of in found}
            inactive = {one.name: one.status for one in seen if one.status != "active"}
            return RulesOfZones(rules, inactive)

    def read(self) -> Current:
        """Return our items in the list."""
        lists, found, content = self._look()
        elsewhere = stored([one for one in lists if one != found])
        self.taken.items = elsewhere + len(content.others)
        flaws = tuple(self._flaws(found, content))
        return Current(frozenset(map(Entry, content.ours)), frozenset(content.others), flaws)

    def _flaws(self, found: AccountList | None, content: Content) -> Iterator[str]:
        if found is None:
            yield f"the list {self.options.list} does not exist"
        if content.turned:
            yield f"the list {self.options.list} holds items of ours that had the opposite effect"

    def _look(self) -> tuple[Collection[AccountList], AccountList | None, Content]:
        """Return every list of the account, ours among them, and the content of ours."""
        with self.asking() as client:
            lists = client.lists()
            found = self.found(lists)
            return lists, found, Content() if found is None else self._own(client, found)

    def apply(self, plan: Plan) -> None:
        """Add missing items, then remove those to go, so that access is never interrupted."""
        from allowsync_backends.cloudflare.list_writer import Writer, created

        with self._changing() as client:
            lists = client.lists()
            found = self.found(lists) or created(client, self.options.list, self._description)
            content = self._own(client, found)
            wanted = {one.network for one in plan.final}
            if taken := wanted & content.others.keys():
                named = ", ".join(sorted(map(str, taken)))
                raise BackendError(f"another client added {named} meanwhile", again=True)
            writer = Writer(client, found)
            new = missing(content, plan.final, self.mine)
            if new:
                self._put(writer, new, content, stored(lists))
                more = plan.remove or content.turned
                content = self.content(client, found) if more else content
            self._take_out(writer, content, [one.network for one in plan.remove])
            writer.remove(list(content.turned.values()))

    def clear(self) -> None:
        """Remove our items, and delete a list that we made and no other owner uses."""
        from allowsync_backends.cloudflare.list_writer import Writer

        with self._changing() as client:
            found = self.found(client.lists(), create=True)
            if found is None:
                return
            content = self.content(client, found)
            writer = Writer(client, found)
            self._take_out(writer, content, list(content.ours))
            writer.remove(list(content.turned.values()))
            if found.description != self._description or found.num_referencing_filters:
                return
            # Deletion would take all items along: check again for items added meanwhile.
            if not client.items(found.id):
                client.delete(found.id)

    def found(
        self, lists: Collection[AccountList], *, create: bool | None = None
    ) -> AccountList | None:
        """Return the list, among all of the account; None when it is missing and may be created.

        Raises:
            BackendError: It is missing and may not be created; or it is no list of addresses.
        """
        name = self.options.list
        one = next((one for one in lists if one.name == name), None)
        if one is None and not (self.options.create if create is None else create):
            raise BackendError(f"the account has no list {name!r}, and create is false: make it")
        if one is not None and one.kind is not ListKind.IP:
            raise BackendError(f"the list {name!r} holds {one.kind.value} items, not addresses")
        return one

    def content(self, client: CloudflareClient, found: AccountList) -> Content:
        """Return the content of the list."""
        items = client.items(found.id)
        return sorted_out(items, self.mine, exclusive=self.options.exclusive)

    def _own(self, client: CloudflareClient, found: AccountList) -> Content:
        """Return the content of the list, if it may be ours.

        Raises:
            BackendError: It is a denylist's, and others keep items there: a rule that admits those
                items would admit blocked networks, and one that blocks would block hosts of theirs.
        """
        content = self.content(client, found)
        if self.effect is Effect.DENY and (more := content.kept | content.crowded):
            there = {mark for one in more.values() for mark in marks.marks_of(one.comment)}
            named = ", ".join(sorted({marks.owner_of(one)[0] for one in there}))
            what = f"the list {found.name} holds items of {named}"
            raise BackendError(f"{what}: a denylist needs a list of its own")
        return content

    def _put(self, writer: Writer, new: list[NewItem], content: Content, held: int) -> None:
        """Add items. Where that fails because the account's quota is used up, report that."""
        from allowsync_backends.cloudflare.list_writer import no_room

        try:
            writer.put(new)
        except CloudflareError as error:
            more = sum(one.network not in content.kept for one in new)
            if what := no_room(error, held, more, self.options.max_items):
                raise BackendError(what) from error
            raise

    def _take_out(self, writer: Writer, content: Content, networks: list[Network]) -> None:
        """Remove our marks, and items without another owner's mark."""
        if self.options.exclusive:
            writer.remove([content.ours[one] for one in networks if one in content.ours])
            return
        if rest := shared(content, networks, self.mine):
            writer.put(rest)
            content = self.content(writer.client, writer.found)
        writer.remove(alone(content, networks, self.mine))

    @contextmanager
    def asking(self) -> Iterator[CloudflareClient]:
        """Yield a client. Failures are raised as `BackendError`."""
        from allowsync_backends.cloudflare.client import connect

        on = self.options
        try:
            with connect(on.api_url, on.token, on.account_id, clock=self.clock) as client:
                yield client
        except CloudflareError as error:
            if unconfirmed(error):
                raise OutcomeUnknown(str(error)) from error
            raise BackendError(what_happened(error, on.token_origin)) from error

    @contextmanager
    def _changing(self) -> Iterator[CloudflareClient]:
        from allowsync_backends.cloudflare.account_lock import one_writer

        with (
            self.asking() as client,
            one_writer(self.options.account_id, client.transport.budget),
        ):
            yield client

    @property
    def _description(self) -> str:
        """The description of a list made by us."""
        return f"Made by allowsync for {self.allowlist}"

    @property
    def mine(self) -> marks.ItemOwnership:
        """Our mark."""
        return marks.ItemOwnership(self.allowlist, self.options.owner, self.effect)
