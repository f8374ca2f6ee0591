"""What sources of networks said, as rows of the database and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import parsed
from allowsync.state.codec import instant, maybe, number, number_or_none

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from allowsync.policy.published import SourceRecord


def read_published(connection: sqlite3.Connection) -> dict[str, SourceRecord]:
    """What is remembered of every source."""
    from allowsync.policy.published import SourceRecord

    rows = connection.execute(
        "SELECT source, networks, fetched, tried, url, trouble FROM published"
    )
    return {
        name: SourceRecord(
            tuple(map(parsed, networks.split())), maybe(fetched), instant(tried), str(url), str(why)
        )
        for name, networks, fetched, tried, url, why in rows
    }


def write_published(connection: sqlite3.Connection, published: Mapping[str, SourceRecord]) -> None:
    """Replace what is remembered of sources."""
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
