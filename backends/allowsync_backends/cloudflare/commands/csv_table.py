"""Lists as comma-separated values (RFC 4180): `ip,comment`, one item a line. Pure.

A comment that begins with `=`, `+`, `-`, `@` or a tab is a formula to a spreadsheet, which may do
anything. It is written with an apostrophe before it, which marks text to spreadsheets; reading
removes it. Nothing is lost: a comment that has the apostrophe already gets another one.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync_backends.cloudflare.commands import addresses
from allowsync_backends.cloudflare.values import NewItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network
    from allowsync_backends.cloudflare.values import ListItem

HEADER: Final = ("ip", "comment")

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_DISARMED: Final = re.compile(r"'+[=+\-@\t\r]")


class Flaw(Value):
    """A fault in a table, and its line."""

    line: int
    what: str


def written(items: Iterable[ListItem]) -> str:
    """Format these items as a table, in their order, with a header and CRLF line ends."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(HEADER)
    rows.writerows((addresses.short(one.network), _disarmed(one.comment)) for one in items)
    return text.getvalue()


def parsed(text: str) -> tuple[list[NewItem], list[Flaw]]:
    """Return the items of a table, in its order, and all its faults."""
    found: dict[Network, int] = {}
    items: list[NewItem] = []
    flaws: list[Flaw] = []
    for line, row in _rows(text, flaws):
        try:
            new = _item(row)
        except addresses.NotTakenError as error:
            flaws.append(Flaw(line, str(error)))
            continue
        if new.network in found:
            what = f"{addresses.short(new.network)} is already in line {found[new.network]}"
            flaws.append(Flaw(line, what))
            continue
        found[new.network] = line
        items.append(new)
    return items, flaws


def _rows(text: str, flaws: list[Flaw]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold items, each with the line it ends in."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    first = True
    try:
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if not (first and row[0].strip().lower() == HEADER[0]):
                yield reader.line_num, row
            first = False
    except csv.Error as error:
        flaws.append(Flaw(reader.line_num, f"this is not CSV: {error}"))


def _item(row: list[str]) -> NewItem:
    if len(row) > len(HEADER):
        raise addresses.NotTakenError(f"{len(row)} columns where there are {len(HEADER)}")
    written = row[0].strip()
    comment = _armed(row[1]) if len(row) > 1 else ""
    try:
        return NewItem(addresses.network(written), addresses.comment(comment))
    except addresses.NotTakenError as error:
        raise addresses.NotTakenError(f"{written[:60]!r} {error}") from None


def _disarmed(comment: str) -> str:
    return f"'{comment}" if _FORMULA.match(comment) else comment


def _armed(cell: str) -> str:
    return cell[1:] if _DISARMED.match(cell) else cell
