"""Records of network sources, as rows of the database and back."""

from __future__ import annotations

from allowsync.model.networks import parsed
from allowsync.policy.published import SourceRecord
from allowsync.state.codec import instant, maybe, number, number_or_none
from allowsync.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping


def published_of(rows: Iterable[tuple[Any, ...]]) -> dict[str, SourceRecord]:
    """The record of every source, from the rows of the table."""
    return {
        name: SourceRecord(
            tuple(map(parsed, networks.split())), maybe(fetched), instant(tried), str(url), str(why)
        )
        for name, networks, fetched, tried, url, why in rows
    }


def write_published(connection: sqlite3.Connection, published: Mapping[str, SourceRecord]) -> None:
    """Replace the records of sources."""
    connection.execute("DELETE FROM published")
    connection.executemany(
        "INSERT INTO published VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                name,
                " ".join(map(str, one.networks)),
                number_or_none(one.fetched),
                number(one.tried),
                one.url,
                one.trouble,
            )
            for name, one in published.items()
        ],
    )
