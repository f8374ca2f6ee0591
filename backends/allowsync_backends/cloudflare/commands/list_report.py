"""Results of the commands: lines for people, documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.report.text import filled
from allowsync.text import Line
from allowsync_backends.cloudflare.commands.addresses import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync_backends.cloudflare.commands.item_diff import Changes
    from allowsync_backends.cloudflare.commands.owners import Owners
    from allowsync_backends.cloudflare.values import AccountList, ListItem


def table(rows: Sequence[Sequence[str]], indent: int = 0) -> Iterator[str]:
    """Lay out rows in columns of the needed width; the last one is folded."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        first = " " * indent + "".join(f"{cell}  " for cell in cells)
        yield from (line.rstrip() for line in filled(row[-1], first, " " * min(len(first), 40)))


def list_document(one: AccountList, owners: Owners) -> dict[str, Any]:
    """Return a list as a document, without its items."""
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind.value,
        "description": one.description,
        "items": one.num_items,
        "rules": one.num_referencing_filters,
        "modified": None if one.modified is None else one.modified.isoformat(),
        "targets": sorted(claim.target for claim in owners.claims),
    }


def item_document(item: ListItem, owners: Owners) -> dict[str, Any]:
    """Return an item as a document, with its owner."""
    return {
        "network": str(item.network),
        "comment": item.comment,
        "modified": None if item.modified is None else item.modified.isoformat(),
        "owner": owners.of(item).document,
    }


def change_lines(changes: Changes, *, done: bool) -> Iterator[Line]:
    """Lay out the changes of a list, done or planned."""
    rows = [
        *(("+", short(one.network), one.comment) for one in changes.add),
        *(
            ("~", short(new.network), f"{new.comment} (was: {old.comment or 'no comment'})")
            for old, new in changes.comment
        ),
        *(("-", short(one.network), one.comment) for one in changes.remove),
    ]
    colours = {"+": "green", "-": "red", "~": "yellow"}
    width = max([22, *(len(address) for _, address, _ in rows)])
    for sign, address, comment in rows:
        first = f"  {sign} {address:<{width}}  "
        for text in filled(comment, first, " " * min(len(first), 40)):
            yield Line(text.rstrip(), colours[sign])
    yield Line("  " + _summary(changes, done=done))


def change_document(changes: Changes) -> dict[str, Any]:
    """Return the changes of a list as a document."""
    return {
        "add": [{"network": str(one.network), "comment": one.comment} for one in changes.add],
        "comment": [
            {"network": str(new.network), "comment": new.comment, "before": old.comment}
            for old, new in changes.comment
        ],
        "remove": [{"network": str(one.network), "comment": one.comment} for one in changes.remove],
        "unchanged": len(changes.unchanged),
        "missing": [str(one) for one in changes.missing],
    }


def objections(changes: Changes) -> Iterable[str]:
    """Return the objections to a change, a line each."""
    return (f"{short(one.network)}: {one.why}" for one in changes.objections)


def _summary(changes: Changes, *, done: bool) -> str:
    numbers = (
        (len(changes.remove), "removed", "to remove"),
        (len(changes.add), "added", "to add"),
        (len(changes.comment), "with another comment", "to get another comment"),
        (len(changes.unchanged), "there already", "there already"),
        (len(changes.missing), "not in the list", "not in the list"),
    )
    said = [f"{number} {past if done else future}" for number, past, future in numbers if number]
    return ", ".join(said) or "nothing to do"
