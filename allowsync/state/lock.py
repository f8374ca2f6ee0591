"""The run lock: two runs never overlap.

An advisory lock (flock(2)) on a file beside the state database. The kernel lets go of it when the
process ends, however it ends, so a crash never leaves it behind. The file itself stays: removing a
locked file would let two runs hold locks on two files of one name.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from allowsync.state.errors import StateUnwritable
from allowsync.state.files import as_owner, prepare_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NOT_NOW: Final = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


class Busy(Exception):
    """Another run holds the lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another run holds {path}")
        self.path = path


def obstacle(state: Path) -> str:
    """What keeps runs from holding the lock and writing the state; empty where nothing is seen."""
    with suppress(OSError):
        path = state.with_name(state.name + ".lock")
        if path.is_symlink() or path.is_dir():
            return f"its lock {path.name} is not a regular file"
        if os.statvfs(state.parent).f_flag & os.ST_RDONLY:
            return "it is on a read-only file system: what runs learn is forgotten"
    return ""


class Lock:
    """A context manager that holds the lock of one state database.

    Raises:
        Busy: Another run holds it. Nothing was touched.
        StateUnwritable: The lock file cannot be made, or is a link.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._path = state.with_name(state.name + ".lock")
        self._descriptor = -1

    def __enter__(self) -> Lock:
        with as_owner(self._state):
            prepare_folder(self._path.parent)
            self._descriptor = self._opened()
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

    def _opened(self) -> int:
        """The lock file; where it can neither be made nor written, it is locked as it is.

        On a disk that was always read-only there is none: there the state itself is locked.
        """
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        except OSError as error:
            for path in (self._path, self._state) if error.errno in _NOT_NOW else ():
                with suppress(OSError):
                    return os.open(path, os.O_RDONLY | _FLAGS)
            raise StateUnwritable(self._path, error.strerror) from error

    def _release(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
