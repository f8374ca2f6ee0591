"""Folders in memory, for tests that keep a state: a disk is waited for at every step of a run.

A configuration there is not what it is elsewhere, as paths below /dev pass: whole programs with a
configuration of their own are tried on a disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY: Final = Path("/dev/shm")
ROOM: Final = 1 << 30  # bytes that are free there


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of one test, in memory where there is room; it is gone with the test."""
    where = MEMORY if _has_room() else tmp_path_factory.getbasetemp()
    with TemporaryDirectory(prefix="test-", dir=where, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _has_room() -> bool:
    """Whether there is such a disk, with room, from which programs can be started."""
    try:
        disk = os.statvfs(MEMORY)
    except OSError:
        return False
    usable = os.access(MEMORY, os.W_OK) and not disk.f_flag & os.ST_NOEXEC
    return usable and disk.f_bavail * disk.f_frsize >= ROOM
