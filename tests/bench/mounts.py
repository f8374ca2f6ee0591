"""Another file in the place of a system's one, for one thread and what it starts."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CLONE_NEWNS = 0x00020000  # unshare(2)
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000  # mount(2)

_libc = ctypes.CDLL(None, use_errno=True)


def bind(source: Path, over: Path) -> None:
    """Lay a file over another one, in a mount namespace that this thread gets for itself."""
    _succeed(_libc.unshare(CLONE_NEWNS))
    # Else the mount would be seen outside as well.
    _succeed(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    _succeed(_libc.mount(bytes(source), bytes(over), None, MS_BIND, None))


def _succeed(code: int) -> None:
    if code != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
