"""A run's knowledge, intended changes and actual changes, as rows.

The intended changes are recorded before the run applies anything, apart from the history. A run
that finishes replaces them by the actual ones. Where one was killed in between, the next one that
reads the target determines the actual changes, and records them in its stead.
"""

from __future__ import annotations

import json
from datetime import timedelta

from allowsync.model.networks import cidr
from allowsync.model.value import Value
from allowsync.state.access_log import rename_uses, write_stays, write_uses
from allowsync.state.codec import (
    MICROSECOND,
    forget_target,
    number,
    write_ends,
    write_orphaned,
    write_target,
)
from allowsync.state.evidence import read_ledger, write_chronology, write_ledger
from allowsync.state.host_memory import forget_hosts, read_hosts, write_answers, write_hosts
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from allowsync.model.memory import HostMemory, TargetMemory
    from allowsync.policy.sightings import Ledger
    from allowsync.state.records import EntryChange, RunRecord

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


class Known(Value):
    """Memory that a run read and that is unchanged in the database: most need not be written.

    Attributes:
        hosts: The memory of hosts; None where it was not read.
        ledger: The sightings; None where they were not read.
        targets: The memory of the targets that were read.
    """

    hosts: Mapping[str, HostMemory] | None
    ledger: Ledger | None
    targets: Mapping[str, TargetMemory]


def write_learnt(connection: sqlite3.Connection, record: RunRecord, known: Known) -> int:
    """Record a run's knowledge and intended changes; return the number of its row."""
    started = number(record.started)
    row = connection.execute(
        "INSERT INTO runs (started, offline) VALUES (?, ?)", (started, record.offline)
    )
    _write_hosts(connection, record, known.hosts)
    _write_targets(connection, record, known.targets)
    write_meant(connection, record.found, record.meant, record.started)
    write_stays(connection, record.began, record.ended, record.started)
    if record.published or connection.execute("SELECT 1 FROM published").fetchone():
        from allowsync.state.published_networks import write_published

        write_published(connection, record.published)
    if record.ledger is not None:
        before = read_ledger(connection) if known.ledger is None else known.ledger
        write_ledger(connection, record.ledger, before, record.started)
    if record.chronology is not None:
        write_chronology(connection, record.chronology)
    return int(row.lastrowid or 0)


def _write_hosts(
    connection: sqlite3.Connection, record: RunRecord, read: Mapping[str, HostMemory] | None
) -> None:
    known = read_hosts(connection) if read is None else read
    again = {name for name, one in record.again.items() if known.get(name) is one}
    asked = {name: one for name, one in record.hosts.items() if name not in again}
    write_answers(connection, asked, known, record.started)
    rename_uses(connection, record.renamed)
    if record.whole:
        forget_hosts(connection, known, record.configured)
    write_hosts(connection, {**record.beside, **asked}, known, record.started, again)


def _write_targets(
    connection: sqlite3.Connection, record: RunRecord, known: Mapping[str, TargetMemory]
) -> None:
    for target, memory in record.targets:
        write_target(connection, target, memory, known.get(target.name))
        if target.name in record.found:
            settle(connection, target.name, set(map(cidr, record.found[target.name])))
            traffic = record.traffic.get(target.name)
            write_uses(connection, target.name, memory.entries, traffic, record.started)
    if record.whole:
        write_orphaned(connection, record.enforced)
    write_ends(connection, record.ends)


def write_end(
    connection: sqlite3.Connection,
    run: int,
    seconds: float,
    exit_code: int,
    problems: Iterable[str],
) -> None:
    """Complete the row of a run."""
    connection.execute(
        "UPDATE runs SET seconds = ?, exit_code = ?, problems = ? WHERE id = ?",
        (seconds, exit_code, json.dumps(list(problems)), run),
    )


def write_unconfirmed(connection: sqlite3.Connection, targets: Iterable[str], at: datetime) -> None:
    """Mark the change of targets as pending confirmation."""
    rows = [(target, number(at)) for target in targets]
    connection.executemany("INSERT OR REPLACE INTO unconfirmed VALUES (?, ?)", rows)


def forget_unconfirmed(connection: sqlite3.Connection, targets: Iterable[str]) -> None:
    """Remove the mark of a pending confirmation from targets."""
    rows = [(target,) for target in targets]
    connection.executemany("DELETE FROM unconfirmed WHERE target = ?", rows)


def write_changes(
    connection: sqlite3.Connection, changes: Iterable[EntryChange], at: datetime
) -> None:
    """Add to the history. A change without a reason gets that of the intended change."""
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
    """Record the intended changes of some targets, in place of earlier ones.

    A run that was killed before it changed anything knew the reason; the next one only sees that
    the change is still due. So a reason stays until there is another.
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
    """Delete the intended changes of some targets, as their outcome is known."""
    connection.executemany("DELETE FROM meant WHERE target = ?", [(one,) for one in targets])


def settle(connection: sqlite3.Connection, target: str, found: Collection[str]) -> None:
    """Add to the history the outcome of an earlier run that could not determine it.

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


def forget_cleared(connection: sqlite3.Connection, target: str, at: datetime) -> None:
    """Delete a target that was cleared at an instant; the history records what it held."""
    _give_up(connection, target)
    _write_cleared(connection, target, at)
    forget_target(connection, target)


def _give_up(connection: sqlite3.Connection, target: str) -> None:
    """Add intended changes that will not be checked any more to the history, as not confirmed."""
    connection.execute(
        f"INSERT INTO changes ({_COLUMNS}, confirmed) "  # noqa: S608
        f"SELECT {_COLUMNS}, 0 FROM meant WHERE target = ?",
        (target,),
    )


def _write_cleared(connection: sqlite3.Connection, target: str, at: datetime) -> None:
    """Add the removal of all remembered entries of a target to the history."""
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
    """Delete history from before an instant, at most once a day: each time a day more than needed.

    The earliest recorded run shows the time of the last deletion.
    """
    first = connection.execute("SELECT min(started) FROM runs").fetchone()[0]
    if first is None or first > oldest - PRUNED_EVERY // MICROSECOND:
        return
    for table, column in _HISTORY:
        connection.execute(f"DELETE FROM {table} WHERE {column} < ?", (oldest,))  # noqa: S608
