"""A list of a Cloudflare account as a target.

In a list that others use, too, the usual case on free plans, an item is ours by a mark in its
comment. There is one item for an address: one that several owners want carries the marks of all of
them, each puts in and takes out its own alone, and the last one takes the item out. What carries no
mark belongs to another owner, and is never written over.
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
    """How much of the account's room is taken by what is not ours, when it was last read."""

    items: int = 0


class CloudflareBackend(Value):
    """Keeps what is ours in one list of one account.

    Attributes:
        allowlist: The allowlist that is enforced there.
        options: Where it is, and how to get at it.
        clock: What waiting goes by.
        taken: What `read` found that is not ours.
        effect: What rules are to make of what is in the list.
    """

    allowlist: str
    options: CloudflareOptions
    clock: PollClock = field(default_factory=PollClock)
    taken: Taken = field(default_factory=Taken, compare=False)
    effect: Effect = Effect.ALLOW

    # Beyond what a piece of work may take (`client.PATIENCE`), which ends with a reason of its own.
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
        """Whether the list can be read and is used."""
        from allowsync_backends.cloudflare.check import findings

        return list(findings(self._look, self._rules, self.mine, self.options, self.effect))

    def _rules(self) -> RulesOfZones:
        """The custom rules of the zones that the token sees."""
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
        """What is ours in the list."""
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
        """Every list of the account, ours among them, and what ours holds."""
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
        """Remove what is ours, and delete a list that we made and no other owner uses."""
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
            # It would go with all it holds: look again at what others have put there meanwhile.
            if not client.items(found.id):
                client.delete(found.id)

    def found(
        self, lists: Collection[AccountList], *, create: bool | None = None
    ) -> AccountList | None:
        """The list, among all of the account; None when there is none, and it is to be made.

        Raises:
            BackendError: There is none, and it is not to be made; or it is none of addresses.
        """
        name = self.options.list
        one = next((one for one in lists if one.name == name), None)
        if one is None and not (self.options.create if create is None else create):
            raise BackendError(f"the account has no list {name!r}, and create is false: make it")
        if one is not None and one.kind is not ListKind.IP:
            raise BackendError(f"the list {name!r} holds {one.kind.value} items, not addresses")
        return one

    def content(self, client: CloudflareClient, found: AccountList) -> Content:
        """What the list holds."""
        items = client.items(found.id)
        return sorted_out(items, self.mine, exclusive=self.options.exclusive)

    def _own(self, client: CloudflareClient, found: AccountList) -> Content:
        """What the list holds, as far as it may be ours.

        Raises:
            BackendError: It is to be blocked, and others keep items there: a rule that lets those
                in would let in what is blocked, and one that blocks shut out hosts of theirs.
        """
        content = self.content(client, found)
        if self.effect is Effect.DENY and (more := content.kept | content.crowded):
            there = {mark for one in more.values() for mark in marks.marks_of(one.comment)}
            named = ", ".join(sorted({marks.owner_of(one)[0] for one in there}))
            what = f"the list {found.name} holds items of {named}"
            raise BackendError(f"{what}: a denylist needs a list of its own")
        return content

    def _put(self, writer: Writer, new: list[NewItem], content: Content, held: int) -> None:
        """Put items in. Where that fails because the account is full, say so."""
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
        """A client. What goes wrong is a `BackendError`."""
        from allowsync_backends.cloudflare.client import connect

        on = self.options
        try:
            with connect(on.api_url, on.token, on.account_id, clock=self.clock) as client:
                yield client
        except CloudflareError as error:
            if unconfirmed(error):
                raise OutcomeUnknown(str(error)) from error
            raise BackendError(what_happened(error)) from error

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
        """What a list is described as that is made by us."""
        return f"Made by allowsync for {self.allowlist}"

    @property
    def mine(self) -> marks.ItemOwnership:
        """Our mark."""
        return marks.ItemOwnership(self.allowlist, self.options.owner, self.effect)
