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


# Entries with several hosts, and what is on record of each of them: `apart` has a row for each
# network that one of these hosts comes from, or that of the entry where nothing is on record.
# `claimed` are the hosts that claim just that network; NULL: the same as `hosts`, whom it lets in.
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

# The targets that were not configured any more at the last run for all.
ORPHANED: Final = "CREATE TABLE orphaned (target TEXT PRIMARY KEY) WITHOUT ROWID;"

# When the access of a host ends, of those whose access does.
ENDS: Final = "CREATE TABLE ends (host TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"


def write_target(
    connection: sqlite3.Connection,
    target: TargetRecord,
    memory: TargetMemory,
    before: TargetMemory | None = None,
) -> None:
    """Remember a target and what it holds.

    Args:
        connection: The database, in a transaction.
        target: The target.
        memory: What to remember.
        before: What the database holds, as it was read; None where it was not.
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
    """Whether two memories are the same, in whatever order their entries are."""
    return one.inherited == other.inherited and all(
        mine is theirs
        or (mine is not None and theirs is not None and _by_network(mine) == _by_network(theirs))
        for mine, theirs in ((one.entries, other.entries), (one.apart, other.apart))
    )


def _by_network(entries: Iterable[Entry]) -> dict[Network, tuple[str, ...]]:
    return {one.network: one.hosts for one in entries}


def read_targets(connection: sqlite3.Connection) -> dict[str, TargetRecord]:
    """Every target that is remembered, by its name and in the order of names."""
    return {
        text(name): TargetRecord(
            text(name), text(allowlist), text(backend), dict(json.loads(written)), places(claims)
        )
        for name, allowlist, backend, written, claims in connection.execute(
            "SELECT * FROM targets ORDER BY name"
        )
    }


def forget_target(connection: sqlite3.Connection, name: str) -> None:
    """Forget all of a target but its history."""
    for table, column in _TARGET_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608


def write_orphaned(connection: sqlite3.Connection, configured: frozenset[str]) -> None:
    """Remember which of the targets on record are not configured any more."""
    known = {name for (name,) in connection.execute("SELECT target FROM orphaned")}
    names = {name for (name,) in connection.execute("SELECT name FROM targets")} - configured
    if names != known:
        connection.execute("DELETE FROM orphaned")
        connection.executemany("INSERT INTO orphaned VALUES (?)", [(one,) for one in names])


def read_ends(connection: sqlite3.Connection) -> dict[str, datetime]:
    """When the access of each host ends, of those whose access does."""
    return {text(host): instant(at) for host, at in connection.execute("SELECT * FROM ends")}


def write_ends(connection: sqlite3.Connection, ends: Mapping[str, datetime]) -> None:
    """Remember when the access of hosts ends."""
    rows = {(host, number(at)) for host, at in ends.items()}
    if rows != set(connection.execute("SELECT * FROM ends")):
        connection.execute("DELETE FROM ends")
        connection.executemany("INSERT INTO ends VALUES (?, ?)", rows)


def _move_former_places(connection: sqlite3.Connection, target: TargetRecord) -> None:
    """Keep what a target of this name put where it puts nothing any more under another name."""
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
    # What was put there is the history of that place, not of the one that has the name now.
    connection.execute("UPDATE changes SET target = ? WHERE target = ?", (former, target.name))


def write_entries(connection: sqlite3.Connection, target: str, memory: TargetMemory) -> None:
    """Replace what a target holds."""
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
    """By network, whom an entry lets in, and who claims just that network (None: the same hosts).

    A claim that is no entry of its own, because a wider one covers it, lets in no host.
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
    """What is remembered of a target; None when nothing was ever put there."""

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
    """What a target holds, from rows of network, hosts and claimed."""
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
    """The places of a target from what is kept. Raises ValueError or TypeError where it is none."""
    return tuple(
        Place(str(kind), tuple(map(str, name)), bool(shared))
        for kind, name, shared in filter(_is_place, json.loads(written))
    )


def _is_place(kept: object) -> bool:
    """Whether it is a place as data. The earliest states kept a text, which is not compared."""
    return not isinstance(kept, str)


def truth(kept: object) -> bool:
    """A truth value from what is kept. Raises ValueError for what no version of ours wrote."""
    if kept not in (0, 1):
        raise ValueError(f"{kept!r} is neither 0 nor 1")
    return bool(kept)


@lru_cache(maxsize=1 << 12)  # most of thousands of rows have the instant of one run
def number(instant: datetime) -> int:
    """An instant as it is kept."""
    return (instant - EPOCH) // MICROSECOND


def number_or_none(instant: datetime | None) -> int | None:
    """The same for one that may be missing."""
    return None if instant is None else number(instant)


def text(kept: object) -> str:
    """A text from what is kept. Raises TypeError: it is of another type."""
    if not isinstance(kept, str):
        raise TypeError(f"{kept!r} is no text")
    return kept


def whole(kept: object) -> int:
    """A number from what is kept. Raises TypeError: it is none, or a fraction."""
    if not isinstance(kept, int):
        raise TypeError(f"{kept!r} is no number")
    return kept


@lru_cache(maxsize=1 << 12)
def instant(number: int) -> datetime:
    """An instant from what is kept."""
    return EPOCH + timedelta(microseconds=number)


def maybe(number: int | None) -> datetime | None:
    """The same for one that may be missing."""
    return None if number is None else instant(number)
