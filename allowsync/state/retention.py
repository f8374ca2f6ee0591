"""Retention of history: prunes what is older than configured."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.state.codec import MICROSECOND

if TYPE_CHECKING:
    import sqlite3

KEEP_HISTORY: Final = timedelta(days=400)
PRUNED_EVERY: Final = timedelta(days=1)
_HISTORY: Final = (
    ("answers", "at"),
    ("changes", "at"),
    ("meant", "at"),
    ("runs", "started"),
    ("stays", "ended"),
    ("turns", "at"),
)


def prune(connection: sqlite3.Connection, oldest: int) -> None:
    """Forget history from before an instant, at most once a day: each time a day more than needed.

    The earliest run on record tells when that was done last.
    """
    first = connection.execute("SELECT min(started) FROM runs").fetchone()[0]
    if first is None or first > oldest - PRUNED_EVERY // MICROSECOND:
        return
    for table, column in _HISTORY:
        connection.execute(f"DELETE FROM {table} WHERE {column} < ?", (oldest,))  # noqa: S608
