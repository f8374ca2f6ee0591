"""The state for readers: a private copy, made at one instant.

A killed run leaves a journal that has to be played back before the database is consistent, and a
reader may not, or cannot, do that in place. So it is done in a copy.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.state.errors import StateDamaged, StateError
from allowsync.state.files import NAMES_ANOTHER, as_owner, judge, refusal
from allowsync.state.schema import migrate, translated, version_of

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LARGEST: Final = 1024**3
PATIENCE: Final = 5.0  # seconds; a writer holds its lock for milliseconds
# Where SQLite locks a database (sqlite.org/lockingv3.html): its readers share these bytes.
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
# Folders for playing back a copy, should even the usual ones be read-only.
_FOLDERS: Final = (None, "/dev/shm", "/run")  # noqa: S108 - a folder of ours is made in it


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """The database as it is now, in memory; None when there is none yet.

    Raises:
        StateError: It exists but cannot be read, is damaged, or newer than this program.
    """
    try:
        with as_owner(path):
            if judge(path).st_size == 0:
                return None
            database, journal = _taken(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(path, refusal(path, error)) from error
    if journal:
        database = _played_back(path, database, journal)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(database)
        connection.execute("PRAGMA trusted_schema = OFF")
        known = version_of(connection, path) > 0
        if known:
            migrate(connection, path)  # the copy alone: so all can be read after an update, too
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise translated(path, error) from error
    except StateError:
        connection.close()
        raise
    if known:
        return connection
    connection.close()
    return None


def is_whole(path: Path) -> bool:
    """Whether there is a complete database of allowsync. Raises nothing."""
    try:
        connection = open_for_reading(path)
        if connection is None:
            return False
        try:
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            if path.stat().st_size % page:
                return False
            found: tuple[str] = connection.execute("PRAGMA quick_check(1)").fetchone()
            return found == ("ok",)
        finally:
            connection.close()
    except (StateError, sqlite3.Error, OSError):
        return False


def _taken(path: Path) -> tuple[bytes, bytes]:
    """The database and its journal, while no process writes them. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    try:
        _wait_for(lambda: fcntl.lockf(descriptor, _SHARE, _SHARED_SIZE, _SHARED_FIRST))
        database = _content(descriptor)
        try:
            journal = os.open(f"{path}-journal", _FLAGS)
        except FileNotFoundError:
            return database, b""
        try:
            return database, _content(journal)
        finally:
            os.close(journal)
    finally:
        os.close(descriptor)


_SHARE: Final = fcntl.LOCK_SH | fcntl.LOCK_NB


def _wait_for(lock: Callable[[], None]) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return lock()
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() > ends:
                raise OSError(error.errno, "another process is writing it") from error
        time.sleep(0.01)


def _content(descriptor: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        raise OSError(0, "it is too large, or not a regular file")
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(LARGEST)


def _played_back(path: Path, database: bytes, journal: bytes) -> bytes:
    """The database before the transaction that a journal belongs to."""
    if journal.endswith(NAMES_ANOTHER):
        raise StateDamaged(path, f"{path}-journal names another file, which stays unchanged")
    from tempfile import TemporaryDirectory  # costs more than all else here, and is rarely needed

    for folder in _FOLDERS:
        try:
            with TemporaryDirectory(prefix="allowsync-", dir=folder) as private:
                return _settled(path, Path(private) / "state.db", database, journal)
        except OSError as error:
            why = error.strerror
    what = f"a run was killed while writing it, and there is no room to play that back: {why}"
    raise StateError(path, what)


def _settled(path: Path, copy: Path, database: bytes, journal: bytes) -> bytes:
    copy.write_bytes(database)
    copy.with_name(f"{copy.name}-journal").write_bytes(journal)
    connection = sqlite3.connect(copy, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return connection.serialize()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise translated(path, error) from error
    finally:
        connection.close()
