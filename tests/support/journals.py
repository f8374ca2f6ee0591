"""Rollback journals: of a run that was killed, and one made up to have a file deleted.

Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal
"""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = bytes.fromhex("d9d505f920a163d7")
_SECTOR = 512


def craft(database: Path, victim: Path) -> Path:
    """Put a journal beside a database that names a file as its super-journal: SQLite deletes that.

    It holds no page, so nothing else is changed.
    """
    (page,) = struct.unpack(">H", database.read_bytes()[16:18])
    pages = database.stat().st_size // page
    head = _MAGIC + struct.pack(">IIIII", 0, 0x1234, pages, _SECTOR, page)
    name = str(victim).encode()
    record = struct.pack(">I", (1 << 30) // page + 1) + name
    record += struct.pack(">II", len(name), sum(name) & 0xFFFFFFFF) + _MAGIC
    journal = database.with_name(f"{database.name}-journal")
    journal.write_bytes(head.ljust(_SECTOR, b"\0") + record)
    return journal


KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM unconfirmed")
connection.execute("CREATE TABLE filler (text)")
connection.executemany("INSERT INTO filler VALUES (?)", [("x" * 3000,)] * 50)
os.kill(os.getpid(), 9)
"""


def killed_while_writing(state: Path) -> None:
    """Leave a database that is written halfway, and the journal that tells how it was."""
    before = state.read_bytes()
    subprocess.run([sys.executable, "-c", KILLED, str(state)], check=False)
    journal = state.with_name(state.name + "-journal")
    assert journal.stat().st_size > 0
    assert state.read_bytes() != before
