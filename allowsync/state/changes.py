"""What a run learnt, means to change and changed, as rows.

What a run means to change is written down before it applies anything, apart from the history. A run
that comes to its end replaces that by what really happened. Where one was killed in between, the
next one that looks at the target sees what came of it, and writes the lines the other could not.
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
    """What a run read, and is in the database unchanged: most of it need not be written then.

    Attributes:
        hosts: What is remembered of hosts; None where it was not read.
        ledger: What guards have on record; None where it was not read.
        targets: What is remembered of the targets that were read.
    """

    hosts: Mapping[str, HostMemory] | None
    ledger: Ledger | None
    targets: Mapping[str, TargetMemory]


def write_learnt(connection: sqlite3.Connection, record: RunRecord, known: Known) -> int:
    """Write down what a run learnt and is about to change; the number of its row."""
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
    """Note of targets that their change waits for a confirmation."""
    rows = [(target, number(at)) for target in targets]
    connection.executemany("INSERT OR REPLACE INTO unconfirmed VALUES (?, ?)", rows)


def forget_unconfirmed(connection: sqlite3.Connection, targets: Iterable[str]) -> None:
    """Forget that the change of targets was not confirmed."""
    rows = [(target,) for target in targets]
    connection.executemany("DELETE FROM unconfirmed WHERE target = ?", rows)


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


def forget_cleared(connection: sqlite3.Connection, target: str, at: datetime) -> None:
    """Forget a target that was cleared at an instant; the history tells what it held."""
    _give_up(connection, target)
    _write_cleared(connection, target, at)
    forget_target(connection, target)


def _give_up(connection: sqlite3.Connection, target: str) -> None:
    """Add to the history what was meant and will not be looked for any more, as not confirmed."""
    connection.execute(
        f"INSERT INTO changes ({_COLUMNS}, confirmed) "  # noqa: S608
        f"SELECT {_COLUMNS}, 0 FROM meant WHERE target = ?",
        (target,),
    )


def _write_cleared(connection: sqlite3.Connection, target: str, at: datetime) -> None:
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
