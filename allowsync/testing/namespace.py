"""A temporary network namespace for a test, isolated from this machine's firewall."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.system.process import Command, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET: Final = 0x40000000  # unshare(2)


@contextmanager
def network_namespace() -> Iterator[None]:
    """Move this thread into a network namespace of its own, and back at the end. Takes root.

    All that the thread does in between happens there, and in the programs that it starts. The
    loopback interface is up. The namespace and its firewall end with its last process.

    Raises:
        PermissionError: This process may not make one.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _must(libc.unshare(_CLONE_NEWNET))
        try:
            run(Command(("ip", "link", "set", "lo", "up")))
            yield
        finally:
            _must(libc.setns(outside, _CLONE_NEWNET))
    finally:
        os.close(outside)


@pytest.fixture
def namespace() -> Iterator[None]:
    """`network_namespace` around a test: import it into the test module, or into conftest.py."""
    with network_namespace():
        yield


def _must(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
