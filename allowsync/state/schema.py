"""Opening of the state database: its schema, its versions, and the handling of a broken one.

A file that is damaged, or that a newer allowsync wrote, is set aside under another name and
reported; it is never overwritten. The run then goes on without history, which removes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from urllib.parse import quote

from allowsync.state.access_log import USES
from allowsync.state.codec import CLAIMS, ENDS, ORPHANED
from allowsync.state.errors import StateDamaged, StateError, StateUnwritable
from allowsync.state.evidence import AGAIN as SIGHTINGS_AGAIN
from allowsync.state.evidence import SCHEMA as EVIDENCE
from allowsync.state.evidence import UNPROVEN
from allowsync.state.files import create, prepare_folder, set_aside, two_owners
from allowsync.state.host_memory import AGAIN as HOSTS_AGAIN
from allowsync.system.owner import acting_as
from allowsync.typed import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Concatenate, ParamSpec, TypeVar

    D = TypeVar("D", bound="Database")
    P = ParamSpec("P")
    R = TypeVar("R")

APPLICATION_ID: Final = 0x616C6C77  # "allw": distinguishes our files from other databases

_RUNS: Final = """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, started INTEGER NOT NULL, seconds REAL, exit_code INTEGER,
        offline INTEGER NOT NULL, problems TEXT NOT NULL DEFAULT '[]');
    CREATE INDEX runs_by_time ON runs (started);
"""

# Access orders given by command. `over` is NULL while one is in force; `words` are the allowlists
# of a grant, and the hostnames of a revoked host.
_ORDERS: Final = """
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
        network TEXT, words TEXT NOT NULL, ends INTEGER, boot TEXT NOT NULL,
        uptime INTEGER NOT NULL, over INTEGER);
"""

# Instants are microseconds since 1970 in UTC. Each step takes the schema from one version to the
# next; a file's version is the number of steps applied to it (PRAGMA user_version).
MIGRATIONS: Final[tuple[str, ...]] = (
    f"""
    {_RUNS}
    CREATE TABLE tracks (
        host TEXT NOT NULL, hostname TEXT NOT NULL, family TEXT NOT NULL, last_found INTEGER,
        absent_since INTEGER, absent_runs INTEGER NOT NULL, unavailable_runs INTEGER NOT NULL,
        summary TEXT NOT NULL, reason TEXT NOT NULL, latched INTEGER NOT NULL,
        held_back TEXT NOT NULL,
        PRIMARY KEY (host, hostname, family)) WITHOUT ROWID;
    CREATE TABLE held (
        host TEXT NOT NULL, hostname TEXT NOT NULL, family TEXT NOT NULL, address TEXT NOT NULL,
        since INTEGER NOT NULL, confirmed INTEGER NOT NULL, replaced INTEGER,
        replaced_runs INTEGER NOT NULL,
        PRIMARY KEY (host, hostname, family, address)) WITHOUT ROWID;
    CREATE TABLE fixed (
        host TEXT NOT NULL, network TEXT NOT NULL, since INTEGER NOT NULL,
        PRIMARY KEY (host, network)) WITHOUT ROWID;
    CREATE TABLE arrivals (
        host TEXT NOT NULL, network TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (host, network)) WITHOUT ROWID;
    CREATE TABLE targets (
        name TEXT PRIMARY KEY, allowlist TEXT NOT NULL, backend TEXT NOT NULL,
        written TEXT NOT NULL, claims TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE entries (
        target TEXT NOT NULL, network TEXT NOT NULL, hosts TEXT NOT NULL,
        PRIMARY KEY (target, network)) WITHOUT ROWID;
    CREATE TABLE inherited (
        target TEXT NOT NULL, network TEXT NOT NULL, since INTEGER NOT NULL, runs INTEGER NOT NULL,
        PRIMARY KEY (target, network)) WITHOUT ROWID;
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, host TEXT NOT NULL, hostname TEXT NOT NULL,
        family TEXT NOT NULL, summary TEXT NOT NULL);
    CREATE INDEX answers_by_host ON answers (host, at);
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, target TEXT NOT NULL, action TEXT NOT NULL,
        network TEXT NOT NULL, hosts TEXT NOT NULL, why TEXT NOT NULL, confirmed INTEGER NOT NULL);
    CREATE INDEX changes_by_time ON changes (at);
    CREATE TABLE stays (
        id INTEGER PRIMARY KEY, host TEXT NOT NULL, network TEXT NOT NULL, hostname TEXT NOT NULL,
        began INTEGER NOT NULL, ended INTEGER, why TEXT NOT NULL DEFAULT '');
    CREATE INDEX stays_by_end ON stays (ended, host);
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, target TEXT NOT NULL, outcome TEXT NOT NULL,
        what TEXT NOT NULL);
    CREATE INDEX turns_by_target ON turns (target, id);
    CREATE TABLE meant (
        at INTEGER NOT NULL, target TEXT NOT NULL, action TEXT NOT NULL, network TEXT NOT NULL,
        hosts TEXT NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (target, action, network)) WITHOUT ROWID;
    CREATE TABLE told (
        event TEXT NOT NULL, subject TEXT NOT NULL, about TEXT NOT NULL, level INTEGER NOT NULL,
        at INTEGER NOT NULL, over TEXT NOT NULL, open INTEGER NOT NULL,
        UNIQUE (event, subject, about));
    CREATE TABLE published (
        source TEXT PRIMARY KEY, networks TEXT NOT NULL, fetched INTEGER, tried INTEGER NOT NULL,
        url TEXT NOT NULL, trouble TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE unconfirmed (target TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (
        channel TEXT NOT NULL, event TEXT NOT NULL, text TEXT NOT NULL, good INTEGER NOT NULL,
        at INTEGER NOT NULL, tries INTEGER NOT NULL, due INTEGER NOT NULL);
    """,
    # In files of version 1, runs had one column more.
    f"""
    DROP INDEX runs_by_time;
    ALTER TABLE runs RENAME TO runs_1;
    {_RUNS}
    INSERT INTO runs SELECT id, started, seconds, exit_code, offline, problems FROM runs_1;
    DROP TABLE runs_1;
    """,  # noqa: S608 - every word is ours
    EVIDENCE,
    CLAIMS,
    _ORDERS,
    HOSTS_AGAIN + SIGHTINGS_AGAIN,
    USES,
    ORPHANED,
    ENDS,
    UNPROVEN,
)

VERSION: Final = len(MIGRATIONS)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database, making or migrating it as needed.

    Raises:
        StateUnwritable: It cannot be made or written.
        StateDamaged: It is damaged or newer than this program.
    """
    prepare_folder(path.parent)
    create(path)
    connection = _connect(path)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise translated(path, error) from error
    except StateError:
        connection.close()
        raise
    return connection


def translated(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> StateError:
    """The StateError for an error of SQLite, by its result code (sqlite.org/rescode).

    An error without a code is Python's own: text in the file that is not UTF-8.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StateDamaged(path, str(error))
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        readonly = code == sqlite3.SQLITE_READONLY and two_owners(path)
        return StateUnwritable(path, readonly or str(error))
    return StateDamaged(path, str(error))


class Database:
    """An opened database and its owner; without a connection, an empty one.

    Attributes:
        path: The file.
        user: The user that root acts as with it.
        unwritable: The reason why it was opened for reading, where it was to be written.
        lost: Whether there was an earlier state that cannot be read any more.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection | None, user: int | None = None
    ) -> None:
        self.path = path
        self.user = os.geteuid() if user is None else user
        self._connection = connection
        self._writes = user is not None
        self.unwritable = ""
        self.lost = False

    @classmethod
    def nothing(cls, path: Path) -> Self:
        """An empty, read-only database in place of a state that cannot be read."""
        database = cls(path, None)
        database.lost = True
        return database

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
        """Close the file; an uncommitted transaction is rolled back."""
        if self._connection is not None:
            with acting_as(self.user):
                self._connection.close()

    def set_aside(self, now: datetime) -> Path:
        """Close and rename a damaged database. Returns its new name."""
        self.close()
        return set_aside(self.path, now)

    @property
    def holds(self) -> bool:
        """Whether there are uncommitted changes."""
        return self._connection is not None and self._connection.in_transaction

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self._connection is None:
            return []
        return self._connection.execute(statement, values).fetchall()

    def _writable(self) -> sqlite3.Connection:
        if self._connection is None or not self._writes:
            raise StateError(self.path, self.unwritable or "it was opened for reading only")
        return self._connection


def guarded(method: Callable[Concatenate[D, P], R]) -> Callable[Concatenate[D, P], R]:
    """Act as the state's owner, and turn SQLite's exceptions into errors of the state.

    Values that no version of allowsync wrote raise StateDamaged, too.
    """

    def guard(store: D, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with acting_as(store.user):
                return method(store, *args, **kwargs)
        except sqlite3.Error as error:
            raise translated(store.path, error) from error
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError) as error:
            raise StateDamaged(store.path, f"it holds an impossible value ({error})") from error

    return guard


class transaction:  # noqa: N801 - reads as a statement
    """`BEGIN IMMEDIATE` … `COMMIT`, or `ROLLBACK` on an exception.

    An open transaction is continued. With `hold`, it is left open, for the next one to end it.
    """

    def __init__(self, connection: sqlite3.Connection, *, hold: bool = False) -> None:
        self._connection = connection
        self._hold = hold

    def __enter__(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            if not self._hold:
                self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode=rw", uri=True, timeout=5.0, isolation_level=None
        )
    except sqlite3.Error as error:
        raise translated(path, error) from error


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The schema's version; 0 for an empty database.

    Raises:
        StateDamaged: It belongs to another program or a newer allowsync.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if owner not in (0, APPLICATION_ID) or (owner == 0 and _has_tables(connection)):
        raise StateDamaged(path, "it is another program's database")
    if version > VERSION:
        raise StateDamaged(path, f"a newer allowsync wrote it (schema {version}, known {VERSION})")
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate a database to the latest schema. Raises StateDamaged, and SQLite's errors."""
    for number in range(version_of(connection, path), VERSION):
        drops = "".join(_drops(connection)) if number == 1 else ""
        connection.executescript(
            f"BEGIN IMMEDIATE; {drops} {MIGRATIONS[number]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )
    _refuse_queries(connection, path)


def _refuse_queries(connection: sqlite3.Connection, path: Path) -> None:
    """Reject a view, a trigger or a virtual table: a query in place of data need not terminate.

    None of them has pages of its own in the file (sqlite.org/schematab).
    """
    found = connection.execute(
        "SELECT name FROM sqlite_schema WHERE coalesce(rootpage, 0) = 0 LIMIT 1"
    ).fetchone()
    if found:
        raise StateDamaged(path, f"its {found[0]!r} is no table, so no allowsync wrote it")


def _drops(connection: sqlite3.Connection) -> Iterator[str]:
    """Statements that drop the views and tables of version 1 that no later version uses."""
    for kind, name in connection.execute(
        "SELECT upper(type), name FROM sqlite_schema WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY type DESC"
    ):
        if f"CREATE {kind} {name} (" not in MIGRATIONS[0]:
            quoted = name.replace('"', '""')
            yield f'DROP {kind} "{quoted}";'
