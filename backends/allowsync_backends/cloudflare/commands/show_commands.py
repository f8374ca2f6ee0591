"""`allowsync cloudflare lists` and `show`: lists, items, and their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync_backends.cloudflare.commands.session import Work, on_account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.text import Line
    from allowsync_backends.cloudflare.commands.owners import Owners
    from allowsync_backends.cloudflare.values import AccountList, ListItem


@click.command()
@on_account("allowsync.cloudflare.lists/1")
def lists(work: Work) -> int:
    """List the lists of the account.

    With what they hold, how many rules use them, and which targets of this machine keep them.
    """
    from allowsync_backends.cloudflare.commands.list_report import list_document

    with work.asking() as client:
        found = client.lists()
    document = {
        "account": work.access.options.account_id,
        "lists": [list_document(one, work.access.owners(one.name)) for one in found],
    }
    return work.tell(_lists(work, found), document)


def _lists(work: Work, found: Sequence[AccountList]) -> Iterator[Line]:
    from allowsync.text import Line, counted
    from allowsync_backends.cloudflare.commands.list_report import table

    if not found:
        yield Line("the account has no lists")
    rows = [
        (
            one.name,
            one.kind.value,
            counted(one.num_items, "item"),
            counted(one.num_referencing_filters, "rule"),
            "; ".join(filter(None, (_keepers(work.access.owners(one.name)), one.description))),
        )
        for one in found
    ]
    yield from (Line(text) for text in table(rows))


@click.command()
@click.argument("name", metavar="LIST")
@on_account("allowsync.cloudflare.show/1")
def show(work: Work, name: str) -> int:
    """Show what a list holds, and whose each item is.

    An item is made by hand, kept by a target of this machine (named so), or marked by an allowsync
    elsewhere.
    """
    from allowsync_backends.cloudflare.commands.item_diff import in_order
    from allowsync_backends.cloudflare.commands.list_report import item_document, list_document

    with work.asking() as client:
        one = work.found(client, name)
        items = in_order(client.items(one.id))
    owners = work.access.owners(name)
    document = {
        "list": list_document(one, owners),
        "items": [item_document(item, owners) for item in items],
    }
    return work.tell(_show(one, items, owners), document)


def _show(one: AccountList, items: Sequence[ListItem], owners: Owners) -> Iterator[Line]:
    from allowsync.text import Line, counted
    from allowsync_backends.cloudflare.commands.addresses import short
    from allowsync_backends.cloudflare.commands.list_report import table

    numbers = f"{counted(len(items), 'item')}, {counted(one.num_referencing_filters, 'rule')}"
    told = ": ".join(filter(None, (one.name, one.description)))
    yield from (Line(text, "bold") for text in table([(f"{told} ({numbers})",)]))
    keepers = _keepers(owners)
    if keepers:
        yield Line(f"  {keepers}")
    rows = [(short(item.network), str(owners.of(item)), item.comment) for item in items]
    yield from (Line(text) for text in table(rows, indent=2))


def _keepers(owners: Owners) -> str:
    if owners.whole is not None:
        return f"belongs to {owners.whole.target} as a whole"
    targets = sorted(one.target for one in owners.claims)
    return f"used by {', '.join(targets)}" if targets else ""
