"""The run lock: two runs never overlap.

An advisory lock (flock(2)) on a file beside the state database. The kernel lets go of it when the
process ends, however it ends, so a crash never leaves it behind. The file itself stays: removing a
locked file would let two runs hold locks on two files of one name.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from allowsync.state.schema import StateUnwritable, prepare_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Busy(Exception):
    """Another run holds the lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another run holds {path}")
        self.path = path


class Lock:
    """A context manager that holds the lock of one state database.

    Raises:
        Busy: Another run holds it. Nothing was touched.
        StateUnwritable: The lock file cannot be made, or is a link.
    """

    def __init__(self, state: Path) -> None:
        self._path = state.with_name(state.name + ".lock")
        self._descriptor = -1

    def __enter__(self) -> Lock:
        prepare_folder(self._path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise StateUnwritable(self._path, error.strerror) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._release()
            if isinstance(error, BlockingIOError):
                raise Busy(self._path) from None
            raise StateUnwritable(self._path, error.strerror) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
