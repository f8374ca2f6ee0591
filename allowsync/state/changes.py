"""What changed at targets, as rows: as it is meant, and once it is known, for the history.

What a run means to change is written down before it applies anything, apart from the history. A run
that comes to its end replaces that by what really happened. Where one was killed in between, the
next one that looks at the target sees what came of it, and writes the lines the other could not.
"""

from __future__ import annotations

from datetime import timedelta

from allowsync.state.codec import MICROSECOND, number
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from allowsync.state.records import EntryChange

KEEP_HISTORY: Final = timedelta(days=400)
PRUNED_EVERY: Final = timedelta(days=1)
_HISTORY: Final = (
    ("answers", "at"),
    ("changes", "at"),
    ("meant", "at"),
    ("orders", "over"),
    ("runs", "started"),
    ("stays", "ended"),
    ("turns", "at"),
)
_COLUMNS = "at, target, action, network, hosts, why"


def write_changes(
    connection: sqlite3.Connection, changes: Iterable[EntryChange], at: datetime
) -> None:
    """Add to the history. What has no reason has the one it was meant for."""
    connection.executemany(
        f"INSERT INTO changes ({_COLUMNS}, confirmed) VALUES (?1, ?2, ?3, ?4, ?5, coalesce("  # noqa: S608
        "nullif(?6, ''), (SELECT why FROM meant WHERE (target, action, network) = (?2, ?3, ?4)), "
        "''), ?7)",
        [(*_row(one, at), one.confirmed) for one in changes],
    )


def write_meant(
    connection: sqlite3.Connection,
    targets: Iterable[str],
    changes: Iterable[EntryChange],
    at: datetime,
) -> None:
    """Write down what is about to be changed at some targets, in place of what was meant before.

    A run that was killed before it changed anything knew why; the next one sees only that it is to
    be done still. So a reason stays until there is another.
    """
    connection.executemany(
        f"INSERT INTO meant ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) "  # noqa: S608
        "ON CONFLICT DO UPDATE SET at = excluded.at, hosts = excluded.hosts, "
        "why = coalesce(nullif(excluded.why, ''), why)",
        [_row(one, at) for one in changes],
    )
    connection.executemany(
        "DELETE FROM meant WHERE target = ? AND at <> ?", [(one, number(at)) for one in targets]
    )


def forget_meant(connection: sqlite3.Connection, targets: Iterable[str]) -> None:
    """Forget what was meant for some targets, as it is known what came of it."""
    connection.executemany("DELETE FROM meant WHERE target = ?", [(one,) for one in targets])


def settle(connection: sqlite3.Connection, target: str, found: Collection[str]) -> None:
    """Add to the history what came of an earlier run that could not tell.

    Args:
        connection: The database, in a transaction.
        target: The target.
        found: The networks it was found to hold since.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM meant WHERE target = ?",  # noqa: S608
        (target,),
    ).fetchall()
    done = [row for row in rows if (row[2] == "add") == (row[3] in found)]
    connection.executemany(
        f"INSERT INTO changes ({_COLUMNS}, confirmed) VALUES (?, ?, ?, ?, ?, ?, 1)",  # noqa: S608
        done,
    )
    connection.executemany(
        "DELETE FROM meant WHERE (target, action, network) = (?, ?, ?)", [row[1:4] for row in done]
    )


def give_up(connection: sqlite3.Connection, target: str) -> None:
    """Add to the history what was meant and will not be looked for any more, as not confirmed."""
    connection.execute(
        f"INSERT INTO changes ({_COLUMNS}, confirmed) "  # noqa: S608
        f"SELECT {_COLUMNS}, 0 FROM meant WHERE target = ?",
        (target,),
    )


def write_cleared(connection: sqlite3.Connection, target: str, at: datetime) -> None:
    """Add to the history that everything a target was remembered to hold was taken out."""
    connection.execute(
        f"INSERT INTO changes ({_COLUMNS}, confirmed) "  # noqa: S608
        "SELECT ?, target, 'remove', network, hosts, 'cleared', 1 FROM entries "
        "WHERE target = ? AND hosts != ''",
        (number(at), target),
    )


def _row(change: EntryChange, at: datetime) -> tuple[object, ...]:
    network, hosts = str(change.entry.network), " ".join(change.entry.hosts)
    return number(at), change.target, change.action, network, hosts, change.why


def prune(connection: sqlite3.Connection, oldest: int) -> None:
    """Forget history from before an instant, at most once a day: each time a day more than needed.

    The earliest run on record tells when that was done last.
    """
    first = connection.execute("SELECT min(started) FROM runs").fetchone()[0]
    if first is None or first > oldest - PRUNED_EVERY // MICROSECOND:
        return
    for table, column in _HISTORY:
        connection.execute(f"DELETE FROM {table} WHERE {column} < ?", (oldest,))  # noqa: S608
