"""Values of the core as rows of the database, and back. Instants are microseconds since 1970."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from allowsync.model.memory import Inherited, TargetMemory
from allowsync.model.networks import cidr, parsed
from allowsync.model.target import Place
from allowsync.model.types import Entry
from allowsync.model.value import replace
from allowsync.state.records import TargetRecord
from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from allowsync.model.types import Network

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_TARGET_TABLES = (
    ("targets", "name"),
    ("entries", "target"),
    ("inherited", "target"),
    ("meant", "target"),
    ("unconfirmed", "target"),
    ("uses", "target"),
    ("packets", "target"),
    ("orphaned", "target"),
)


# Entries with several hosts, and the record of each host: `apart` has a row for each network that
# one of these hosts uses, or that of the entry where nothing is recorded. `claimed` are the hosts
# that claim exactly that network; NULL stands for the same ones as in `hosts`, which it admits.
CLAIMS: Final = """
    CREATE TEMP TABLE apart AS
        WITH RECURSIVE each (target, network, host, rest) AS (
            SELECT target, network, '', hosts || ' ' FROM entries WHERE instr(hosts, ' ')
            UNION ALL
            SELECT target, network, substr(rest, 1, instr(rest, ' ') - 1),
                substr(rest, instr(rest, ' ') + 1) FROM each WHERE rest != '')
        SELECT DISTINCT target, coalesce(stays.network, each.network) AS network, each.host AS host
        FROM each LEFT JOIN stays ON stays.host = each.host AND stays.ended IS NULL
        WHERE each.host != '';
    ALTER TABLE entries ADD COLUMN claimed TEXT;
    UPDATE entries SET claimed = coalesce((
        SELECT group_concat(host, ' ') FROM (
            SELECT host FROM apart WHERE apart.target = entries.target
            AND apart.network = entries.network ORDER BY host)), '')
        WHERE instr(hosts, ' ');
    INSERT OR IGNORE INTO entries (target, network, hosts, claimed)
        SELECT target, network, '', group_concat(host, ' ')
        FROM (SELECT * FROM apart ORDER BY host) GROUP BY target, network;
    DROP TABLE apart;
"""

# The targets that were not configured any more at the last complete run.
ORPHANED: Final = "CREATE TABLE orphaned (target TEXT PRIMARY KEY) WITHOUT ROWID;"

# The end of access of each host that has one.
ENDS: Final = "CREATE TABLE ends (host TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"


def write_target(
    connection: sqlite3.Connection,
    target: TargetRecord,
    memory: TargetMemory,
    before: TargetMemory | None = None,
) -> None:
    """Record a target and its entries.

    Args:
        connection: The database, in a transaction.
        target: The target.
        memory: The new memory.
        before: The memory in the database, as read; None where it was not read.
    """
    _move_former_places(connection, target)
    row = (
        target.name,
        target.allowlist,
        target.backend,
        json.dumps(dict(target.written), sort_keys=True),
        json.dumps(target.places),
    )
    known = connection.execute("SELECT * FROM targets WHERE name = ?", (target.name,)).fetchone()
    if known != row:
        connection.execute("INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?, ?)", row)
    elif before is not None and _is_same(memory, before):
        return
    write_entries(connection, target.name, memory)


def _is_same(one: TargetMemory, other: TargetMemory) -> bool:
    """Whether two memories are equal, regardless of the order of entries."""
    return one.inherited == other.inherited and all(
        mine is theirs
        or (mine is not None and theirs is not None and _by_network(mine) == _by_network(theirs))
        for mine, theirs in ((one.entries, other.entries), (one.apart, other.apart))
    )


def _by_network(entries: Iterable[Entry]) -> dict[Network, tuple[str, ...]]:
    return {one.network: one.hosts for one in entries}


def read_targets(connection: sqlite3.Connection) -> dict[str, TargetRecord]:
    """Every recorded target, by name and in the order of names."""
    return {
        text(name): TargetRecord(
            text(name), text(allowlist), text(backend), dict(json.loads(written)), places(claims)
        )
        for name, allowlist, backend, written, claims in connection.execute(
            "SELECT * FROM targets ORDER BY name"
        )
    }


def forget_target(connection: sqlite3.Connection, name: str) -> None:
    """Delete all records of a target except its history."""
    for table, column in _TARGET_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608


def write_orphaned(connection: sqlite3.Connection, configured: frozenset[str]) -> None:
    """Record which of the recorded targets are not configured any more."""
    known = {name for (name,) in connection.execute("SELECT target FROM orphaned")}
    names = {name for (name,) in connection.execute("SELECT name FROM targets")} - configured
    if names != known:
        connection.execute("DELETE FROM orphaned")
        connection.executemany("INSERT INTO orphaned VALUES (?)", [(one,) for one in names])


def read_ends(connection: sqlite3.Connection) -> dict[str, datetime]:
    """The end of access of each host that has one."""
    return {text(host): instant(at) for host, at in connection.execute("SELECT * FROM ends")}


def write_ends(connection: sqlite3.Connection, ends: Mapping[str, datetime]) -> None:
    """Record the end of hosts' access."""
    rows = {(host, number(at)) for host, at in ends.items()}
    if rows != set(connection.execute("SELECT * FROM ends")):
        connection.execute("DELETE FROM ends")
        connection.executemany("INSERT INTO ends VALUES (?, ?)", rows)


def _move_former_places(connection: sqlite3.Connection, target: TargetRecord) -> None:
    """Keep the entries at former places of a target under another name."""
    row = connection.execute("SELECT claims FROM targets WHERE name = ?", (target.name,)).fetchone()
    if row is None or set(places(row[0])) <= set(target.places):
        return

    import hashlib

    former = f"{target.name}@{hashlib.sha256(row[0].encode()).hexdigest()[:8]}"
    for table, column in _TARGET_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (former,))  # noqa: S608
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608
            (former, target.name),
        )
    # The changes made there are the history of that place, not of the one that has the name now.
    connection.execute("UPDATE changes SET target = ? WHERE target = ?", (former, target.name))


def write_entries(connection: sqlite3.Connection, target: str, memory: TargetMemory) -> None:
    """Replace the entries of a target."""
    known = {
        network: row
        for network, *row in connection.execute(
            "SELECT network, hosts, claimed FROM entries WHERE target = ?", (target,)
        )
    }
    now = _entry_rows(memory)
    connection.executemany(
        "DELETE FROM entries WHERE target = ? AND network = ?",
        [(target, network) for network in known.keys() - now.keys()],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO entries (target, network, hosts, claimed) VALUES (?, ?, ?, ?)",
        [(target, network, *row) for network, row in now.items() if known.get(network) != row],
    )
    connection.execute("DELETE FROM inherited WHERE target = ?", (target,))
    connection.executemany(
        "INSERT INTO inherited VALUES (?, ?, ?, ?)",
        [(target, cidr(one.network), number(one.since), one.runs) for one in memory.inherited],
    )


def _entry_rows(memory: TargetMemory) -> dict[str, list[str | None]]:
    """By network, the hosts an entry admits, and the hosts that claim exactly it (None: the same).

    A claim that is no entry of its own, because a wider one covers it, admits no host.
    """
    rows: dict[str, list[str | None]] = {
        cidr(one.network): [" ".join(one.hosts), None] for one in memory.entries
    }
    if memory.apart is None:
        return rows
    claimed = {cidr(one.network): " ".join(one.hosts) for one in memory.apart}
    for network in rows.keys() | claimed.keys():
        row, hosts = rows.setdefault(network, ["", None]), claimed.get(network, "")
        if row[0] != hosts:
            row[1] = hosts
    return rows


def read_target(connection: sqlite3.Connection, name: str) -> TargetMemory | None:
    """The memory of a target; None when nothing was ever applied there."""

    def rows(statement: str) -> list[tuple[Any, ...]]:
        return connection.execute(statement, (name,)).fetchall()

    if not rows("SELECT 1 FROM targets WHERE name = ?"):
        return None
    inherited = rows("SELECT network, since, runs FROM inherited WHERE target = ?")
    return replace(
        read_entries(rows("SELECT network, hosts, claimed FROM entries WHERE target = ?")),
        inherited=tuple(
            Inherited(parsed(network), instant(since), int(runs))
            for network, since, runs in inherited
        ),
    )


def read_entries(rows: Iterable[tuple[str, str, str | None]]) -> TargetMemory:
    """The entries of a target, from rows of network, hosts and claimed."""
    entries, apart, differs = [], [], False
    for written, hosts, claimed in rows:
        network = parsed(written)
        entry = Entry(network, tuple(text(hosts).split()))
        if entry.hosts:
            entries.append(entry)
        if claimed is None:
            apart.append(entry)
            continue
        differs = True
        if claimed:
            apart.append(Entry(network, tuple(text(claimed).split())))
    return TargetMemory(tuple(entries), apart=tuple(apart) if differs else None)


def places(written: str) -> tuple[Place, ...]:
    """The places of a target from a database value. Raises ValueError or TypeError."""
    return tuple(
        Place(str(kind), tuple(map(str, name)), bool(shared))
        for kind, name, shared in filter(_is_place, json.loads(written))
    )


def _is_place(kept: object) -> bool:
    """Whether a value is a place as data. The earliest states kept a text, which is ignored."""
    return not isinstance(kept, str)


def truth(kept: object) -> bool:
    """A boolean from a database value. Raises ValueError for anything but 0 and 1."""
    if kept not in (0, 1):
        raise ValueError(f"{kept!r} is neither 0 nor 1")
    return bool(kept)


@lru_cache(maxsize=1 << 12)  # most of thousands of rows have the instant of one run
def number(instant: datetime) -> int:
    """An instant as a database value."""
    return (instant - EPOCH) // MICROSECOND


def number_or_none(instant: datetime | None) -> int | None:
    """An instant that may be missing, as a database value."""
    return None if instant is None else number(instant)


def text(kept: object) -> str:
    """A text from a database value. Raises TypeError for another type."""
    if not isinstance(kept, str):
        raise TypeError(f"{kept!r} is no text")
    return kept


def whole(kept: object) -> int:
    """A number from a database value. Raises TypeError for another type, or a fraction."""
    if not isinstance(kept, int):
        raise TypeError(f"{kept!r} is no number")
    return kept


@lru_cache(maxsize=1 << 12)
def instant(number: int) -> datetime:
    """An instant from a database value."""
    return EPOCH + timedelta(microseconds=number)


def maybe(number: int | None) -> datetime | None:
    """An instant that may be missing, from a database value."""
    return None if number is None else instant(number)
