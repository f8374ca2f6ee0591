"""A state in memory that a rehearsal writes to: a copy of the real one, which is left alone."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from allowsync.state.private_copy import open_for_reading
from allowsync.state.schema import migrate
from allowsync.state.store import Store

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


class RehearsalStore(Store):
    """One whose runs take place in it alone."""

    def note_run(self, latest: datetime) -> None:
        """Leave nothing outside: no run that comes later could know of it."""


def rehearsal_store(path: Path) -> Store:
    """A copy of a state as it is now; an empty one where there is none yet.

    Raises:
        StateError: It is there but cannot be read, is damaged, or newer than this program.
    """
    return RehearsalStore(path, open_for_reading(path) or _empty(path), os.geteuid())


def forgotten_store(path: Path) -> Store:
    """A state of which nothing can be read any more."""
    store = RehearsalStore(path, _empty(path), os.geteuid())
    store.lost = True
    return store


def _empty(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, path)
    return connection
