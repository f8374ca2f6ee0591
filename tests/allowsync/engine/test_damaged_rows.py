"""One value of the state is of another type or out of range: no run stops, and it is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.values import found
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As a flipped bit, a bad disk or another program leaves them, by the type of the column.
WRONG: Final[dict[str, object]] = {"INTEGER": "x", "TEXT": 1 << 62, "REAL": b"\xff", "BLOB": "x"}


def columns(state: Path) -> Iterator[tuple[str, str, str]]:
    """Every column of every table that has rows: table, column, type."""
    with closing(sqlite3.connect(state)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            if connection.execute(f"SELECT 1 FROM {table}").fetchone():
                for row in connection.execute(f"PRAGMA table_info({table})").fetchall():
                    yield table, row[1], row[2]


def damage(state: Path, table: str, column: str, kind: str) -> bool:
    """Whether a value could be put there."""
    try:
        with closing(sqlite3.connect(state)) as connection, connection:
            connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (WRONG[kind],))
    except sqlite3.IntegrityError:
        return False
    return True


def test_a_damaged_value_stops_no_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(2):
        world.run()
    whole, told = world.state.read_bytes(), 0
    world.says["alice.example.org"] = found("81.2.69.9")
    for table, column, kind in columns(world.state):
        world.state.write_bytes(whole)
        world.store.networks.clear()
        if damage(world.state, table, column, kind):
            report = world.run()
            assert "81.2.69.9" in world.held, f"{table}.{column}"
            told += any("set aside" in one.what for one in report.notices)
    assert told > 20


@pytest.mark.parametrize("written", ["[1]", "5", "null"])
def test_options_that_are_none_stop_no_run(tmp_path: Path, written: str) -> None:
    world = World(tmp_path)
    world.run()
    with closing(sqlite3.connect(world.state)) as connection, connection:
        connection.execute("UPDATE targets SET written = ?", (written,))
    assert any("set aside" in one.what for one in world.run().notices)
