"""Network namespaces without names: each ends with the last process or socket that uses it.

Nothing has to be removed afterwards, whatever becomes of the demo.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # os.setns() came with Python 3.12


class Namespace:
    """A new network namespace.

    Raises:
        OSError: This process may not make one.
    """

    def __init__(self) -> None:
        outside = _current()
        try:
            _checked(_LIBC.unshare(_CLONE_NEWNET))
            self._fd = _current()
            _enter(outside)
        finally:
            os.close(outside)

    @property
    def path(self) -> str:
        """Where `ip` finds it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside for a while. Sockets made and programs started there stay there."""
        outside = _current()
        try:
            _enter(self._fd)
            yield
        finally:
            _enter(outside)
            os.close(outside)


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(namespace: int) -> None:
    _checked(_LIBC.setns(namespace, _CLONE_NEWNET))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
