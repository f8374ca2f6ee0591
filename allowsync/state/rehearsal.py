"""A state in memory for rehearsals: a copy of the real one, which is not changed."""

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
    """A store whose runs are recorded in memory alone."""

    def note_run(self, latest: datetime, *, recorded: bool = True) -> None:
        """Leave no mark: no later run could have it on record."""


def rehearsal_store(path: Path) -> Store:
    """A copy of a state as it is now; an empty one where there is none yet.

    Raises:
        StateError: It exists but cannot be read, is damaged, or newer than this program.
    """
    return RehearsalStore(path, open_for_reading(path) or _empty(path), os.geteuid())


def forgotten_store(path: Path) -> Store:
    """A state that counts as lost."""
    store = RehearsalStore(path, _empty(path), os.geteuid())
    store.lost = True
    return store


def _empty(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, path)
    return connection
