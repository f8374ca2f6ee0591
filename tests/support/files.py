"""What tells whether a file was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def as_written(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written or replaced; reading changes its access time."""
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
