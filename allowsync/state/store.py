"""Reading and writing what is remembered, in the nouns of the core. The one user of SQLite's SQL.

A run writes twice: before anything is applied (`intend`), so that an unwritable state leaves the
firewall alone and a crash in between is remembered as what was meant; and afterwards (`confirm`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Self

from allowsync.memory import Held, HostMemory, Inherited, TargetMemory, Track
from allowsync.model import Entry, Family, Query
from allowsync.state.database import (
    StateDamaged,
    StateError,
    open_for_reading,
    open_for_writing,
    set_aside,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Concatenate, ParamSpec, TypeVar

    from allowsync.glance.writing import Idle

    P = ParamSpec("P")
    R = TypeVar("R")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_TARGET_TABLES = (("targets", "name"), ("entries", "target"), ("inherited", "target"))
KEEP_HISTORY = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A target something was put into: enough to clear it once it is configured no more.

    `claims` are the places it has for itself. A target that claims others than it did is another
    one under the same name; what is in the former places is then remembered under a name of its
    own.
    """

    name: str
    allowlist: str
    backend: str
    written: Mapping[str, Any] = field(default_factory=dict)
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry put in or taken out, for the history. `action` is `add` or `remove`."""

    target: str
    action: str
    entry: Entry
    why: str
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """What a run remembers before it applies anything.

    Attributes:
        started: The instant of the run.
        offline: Whether the DNS was not asked.
        hosts: The memory of each host of the run.
        configured: Every host there is. What was known of others is forgotten: who is put back
            into the configuration later starts anew.
        targets: The targets of the run, with what each may hold from now on.
    """

    started: datetime
    offline: bool
    hosts: Mapping[str, HostMemory]
    configured: frozenset[str]
    targets: tuple[tuple[TargetRecord, TargetMemory], ...]


def _guarded(
    method: Callable[Concatenate[Store, P], R],
) -> Callable[Concatenate[Store, P], R]:
    """Turn what SQLite raises, and values no version of ours wrote, into errors of the state."""

    def guarded(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(store, *args, **kwargs)
        except sqlite3.Error as error:
            raise translated(store.path, error) from error
        except (ValueError, TypeError, OverflowError, KeyError) as error:
            raise StateDamaged(store.path, f"it holds an impossible value ({error})") from error

    return guarded


class Store:
    """The state database of one installation.

    Every method raises `StateUnwritable` when the database cannot be written (or read) and
    `StateDamaged` when what it holds makes no sense. A store without a file (`Store.reading` where
    there is none) knows nothing.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection | None) -> None:
        self.path = path
        self._connection = connection
        self._run = 0

    @classmethod
    def writing(cls, path: Path) -> Self:
        """Open for a run that writes; the caller holds the lock."""
        return cls(path, open_for_writing(path))

    @classmethod
    def reading(cls, path: Path) -> Self:
        """Open for a dry run or a report: nothing is written, not even a missing file."""
        return cls(path, open_for_reading(path))

    @classmethod
    def nothing(cls, path: Path) -> Self:
        """A store that knows nothing and writes nothing."""
        return cls(path, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a transaction that was not committed is undone."""
        if self._connection is not None:
            self._connection.close()

    def set_aside(self, now: datetime) -> Path:
        """Close and rename a damaged database. Returns its new name."""
        self.close()
        return set_aside(self.path, now)

    @_guarded
    def last_run(self) -> datetime | None:
        """When the latest recorded run started."""
        rows = self._rows("SELECT started FROM runs ORDER BY id DESC LIMIT 1")
        return _instant(rows[0][0]) if rows else None

    @_guarded
    def hosts(self) -> dict[str, HostMemory]:
        """What is remembered of every host."""
        held: dict[tuple[str, str, str], list[Held]] = {}
        for host, name, family, address, since, confirmed, replaced, runs in self._rows(
            "SELECT host, hostname, family, address, since, confirmed, replaced, replaced_runs "
            "FROM held"
        ):
            one = Held(
                ip_address(address),
                _instant(since),
                _instant(confirmed),
                _maybe(replaced),
                int(runs),
            )
            held.setdefault((host, name, family), []).append(one)
        tracks: dict[str, dict[Query, Track]] = {}
        for host, name, family, found, absent, absents, unavailables, summary, why in self._rows(
            "SELECT host, hostname, family, last_found, absent_since, absent_runs, "
            "unavailable_runs, summary, reason FROM tracks"
        ):
            addresses = tuple(held.get((host, name, family), ()))
            tracks.setdefault(host, {})[Query(name, Family(family))] = Track(
                addresses, _maybe(found), _maybe(absent), absents, unavailables, summary, why
            )
        fixed: dict[str, dict[Any, datetime]] = {}
        for host, network, since in self._rows("SELECT host, network, since FROM fixed"):
            fixed.setdefault(host, {})[ip_network(network)] = _instant(since)
        return {
            host: HostMemory(tracks.get(host, {}), fixed.get(host, {}))
            for host in tracks.keys() | fixed.keys()
        }

    @_guarded
    def targets(self) -> dict[str, TargetRecord]:
        """Every target something was ever put into and that was not cleared since."""
        rows = self._rows("SELECT * FROM targets ORDER BY name")
        return {
            name: TargetRecord(
                name, allowlist, backend, json.loads(written), tuple(json.loads(claims))
            )
            for name, allowlist, backend, written, claims in rows
        }

    @_guarded
    def target(self, name: str) -> TargetMemory | None:
        """What is remembered of a target; None when nothing was ever put there."""
        if not self._rows("SELECT 1 FROM targets WHERE name = ?", name):
            return None
        entries = self._rows("SELECT network, hosts FROM entries WHERE target = ?", name)
        inherited = self._rows("SELECT network, since, runs FROM inherited WHERE target = ?", name)
        return TargetMemory(
            tuple(Entry(ip_network(network), tuple(hosts.split())) for network, hosts in entries),
            tuple(
                Inherited(ip_network(network), _instant(since), int(runs))
                for network, since, runs in inherited
            ),
        )

    @_guarded
    def intend(self, record: Record) -> None:
        """Remember what was learnt and what is about to be applied. Durable when it returns."""
        connection = self._writable()
        with _transaction(connection):
            self._run = int(
                connection.execute(
                    "INSERT INTO runs (started, offline) VALUES (?, ?)",
                    (_number(record.started), record.offline),
                ).lastrowid
                or 0
            )
            _write_answers(connection, record)
            _forget_hosts(connection, record.configured)
            _write_hosts(connection, record.hosts)
            for target, memory in record.targets:
                _write_target(connection, target, memory)

    @_guarded
    def confirm(
        self,
        targets: Iterable[tuple[str, TargetMemory]],
        changes: Iterable[Change],
        at: datetime,
    ) -> None:
        """Remember what the targets hold now, and what changed."""
        connection = self._writable()
        with _transaction(connection):
            for name, memory in targets:
                _write_entries(connection, name, memory)
            connection.executemany(
                "INSERT INTO changes (at, target, action, network, hosts, why, confirmed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        _number(at),
                        one.target,
                        one.action,
                        str(one.entry.network),
                        " ".join(one.entry.hosts),
                        one.why,
                        one.confirmed,
                    )
                    for one in changes
                ],
            )

    @_guarded
    def finish(
        self, seconds: float, exit_code: int, problems: Iterable[str], idle: Idle | None
    ) -> None:
        """Close the record of the run, with what the next one may go by if it was an idle one."""
        connection = self._writable()
        with _transaction(connection):
            connection.execute(
                "UPDATE runs SET seconds = ?, exit_code = ?, problems = ? WHERE id = ?",
                (seconds, exit_code, json.dumps(list(problems)), self._run),
            )
            for table in ("idle", "sights", "replies"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
            if idle is not None:
                _write_idle(connection, idle, self._run)

    @_guarded
    def prune(self, now: datetime) -> None:
        """Forget history older than `KEEP_HISTORY`."""
        connection = self._writable()
        oldest = _number(now - KEEP_HISTORY)
        with _transaction(connection):
            for table in ("answers", "changes"):
                connection.execute(f"DELETE FROM {table} WHERE at < ?", (oldest,))  # noqa: S608
            connection.execute("DELETE FROM runs WHERE started < ?", (oldest,))

    @_guarded
    def forget_target(self, name: str) -> None:
        """Forget a target that was cleared."""
        connection = self._writable()
        with _transaction(connection):
            for table, column in _TARGET_TABLES:
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))  # noqa: S608

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self._connection is None:
            return []
        return self._connection.execute(statement, values).fetchall()

    def _writable(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateError(self.path, "it was opened for reading only")
        return self._connection


class _transaction:  # noqa: N801 - reads as a statement
    """`BEGIN IMMEDIATE` … `COMMIT`, or `ROLLBACK` when anything is raised."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _write_answers(connection: sqlite3.Connection, record: Record) -> None:
    """Add to the history each answer that differs from the one before it."""
    known = {
        (host, hostname, family): summary
        for host, hostname, family, summary in connection.execute(
            "SELECT host, hostname, family, summary FROM tracks"
        )
    }
    at = _number(record.started)
    rows = [
        (at, host, query.hostname, query.family.value, track.summary)
        for host, memory in record.hosts.items()
        for query, track in memory.tracks.items()
        if track.summary != known.get((host, query.hostname, query.family.value), "")
    ]
    connection.executemany(
        "INSERT INTO answers (at, host, hostname, family, summary) VALUES (?, ?, ?, ?, ?)", rows
    )


def _forget_hosts(connection: sqlite3.Connection, configured: frozenset[str]) -> None:
    known = connection.execute("SELECT host FROM tracks UNION SELECT host FROM fixed").fetchall()
    gone = [(host,) for (host,) in known if host not in configured]
    for table in ("tracks", "held", "fixed"):
        connection.executemany(f"DELETE FROM {table} WHERE host = ?", gone)  # noqa: S608


def _write_hosts(connection: sqlite3.Connection, hosts: Mapping[str, HostMemory]) -> None:
    names = [(host,) for host in hosts]
    for table in ("tracks", "held", "fixed"):
        connection.executemany(f"DELETE FROM {table} WHERE host = ?", names)  # noqa: S608
    connection.executemany(
        "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                host,
                query.hostname,
                query.family.value,
                _number_or_none(track.last_found),
                _number_or_none(track.absent_since),
                track.absent_runs,
                track.unavailable_runs,
                track.summary,
                track.reason,
            )
            for host, memory in hosts.items()
            for query, track in memory.tracks.items()
        ],
    )
    connection.executemany(
        "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                host,
                query.hostname,
                query.family.value,
                str(one.address),
                _number(one.since),
                _number(one.confirmed),
                _number_or_none(one.replaced),
                one.replaced_runs,
            )
            for host, memory in hosts.items()
            for query, track in memory.tracks.items()
            for one in track.held
        ],
    )
    connection.executemany(
        "INSERT INTO fixed VALUES (?, ?, ?)",
        [
            (host, str(network), _number(since))
            for host, memory in hosts.items()
            for network, since in memory.fixed.items()
        ],
    )


def _write_idle(connection: sqlite3.Connection, idle: Idle, run: int) -> None:
    from allowsync.glance.writing import rows

    until = _number_or_none(idle.until)
    connection.execute(
        "INSERT INTO idle VALUES (?, ?, ?, ?)", (run, idle.program, idle.config, until)
    )
    hosts = [("host", host, "") for host in idle.hosts]
    connection.executemany("INSERT INTO sights VALUES (?, ?, ?)", [*rows(idle.sights), *hosts])
    connection.executemany(
        "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?)", [one.row for one in idle.replies]
    )


def _write_target(
    connection: sqlite3.Connection, target: TargetRecord, memory: TargetMemory
) -> None:
    _move_former_places(connection, target)
    connection.execute(
        "INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?, ?)",
        (
            target.name,
            target.allowlist,
            target.backend,
            json.dumps(dict(target.written), sort_keys=True),
            json.dumps(target.claims),
        ),
    )
    _write_entries(connection, target.name, memory)


def _move_former_places(connection: sqlite3.Connection, target: TargetRecord) -> None:
    """Keep what a target of this name put where it puts nothing any more under another name."""
    row = connection.execute(
        "SELECT claims, written FROM targets WHERE name = ?", (target.name,)
    ).fetchone()
    if row is None or set(json.loads(row[0])) <= set(target.claims):
        return
    former = f"{target.name}@{hashlib.sha256(row[1].encode()).hexdigest()[:8]}"
    for table, column in _TARGET_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (former,))  # noqa: S608
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608
            (former, target.name),
        )


def _write_entries(connection: sqlite3.Connection, target: str, memory: TargetMemory) -> None:
    known = dict(
        connection.execute("SELECT network, hosts FROM entries WHERE target = ?", (target,))
    )
    now = {str(one.network): " ".join(one.hosts) for one in memory.entries}
    connection.executemany(
        "DELETE FROM entries WHERE target = ? AND network = ?",
        [(target, network) for network in known.keys() - now.keys()],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)",
        [(target, network, hosts) for network, hosts in now.items() if known.get(network) != hosts],
    )
    connection.execute("DELETE FROM inherited WHERE target = ?", (target,))
    connection.executemany(
        "INSERT INTO inherited VALUES (?, ?, ?, ?)",
        [(target, str(one.network), _number(one.since), one.runs) for one in memory.inherited],
    )


def _number(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND


def _number_or_none(instant: datetime | None) -> int | None:
    return None if instant is None else _number(instant)


def _instant(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)


def _maybe(number: int | None) -> datetime | None:
    return None if number is None else _instant(number)
