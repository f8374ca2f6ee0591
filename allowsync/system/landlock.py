"""Restriction of a process's access to files and TCP ports, by Landlock (landlock(7)).

Each version of the kernel's interface adds rights; those that a kernel does not support are left
out.
"""

from __future__ import annotations

import ctypes
import os
import stat
from contextlib import suppress
from struct import pack

from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# The same on every architecture but Alpha and MIPS, where these numbers are unused.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1

_PATH_BENEATH: Final = 1
_NET_PORT: Final = 2
_READ_FILE: Final = 1 << 2
_READ_FOLDER: Final = 1 << 3
_BIND_TCP: Final = 1 << 0
_CONNECT_TCP: Final = 1 << 1
_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 0b11

# The number of file rights, by version.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_FILE_RIGHTS: Final = 16
_PORTS_SINCE: Final = 4
_SCOPES_SINCE: Final = 6


def restrict_files(libc: ctypes.CDLL, ports: Iterable[int], readable: Iterable[str]) -> None:
    """Let this process open nothing but some files for reading; connect by TCP to ports only.

    Args:
        libc: The C library, loaded with `use_errno`.
        ports: The allowed destination ports of TCP.
        readable: Paths of files, and of folders with all that is in them; missing ones are
            skipped.

    Raises:
        OSError: The kernel has no Landlock, or does not allow it.
    """
    version = _call(libc, _CREATE_RULESET, None, 0, _ASK_VERSION)
    files = (1 << _FILE_RIGHTS.get(version, _ALL_FILE_RIGHTS)) - 1
    attributes = pack("=Q", files)
    if version >= _PORTS_SINCE:
        attributes += pack("=Q", _BIND_TCP | _CONNECT_TCP)
    if version >= _SCOPES_SINCE:
        attributes += pack("=Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    ruleset = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in readable:
            with suppress(OSError):
                _allow_file(libc, ruleset, path)
        if version >= _PORTS_SINCE:
            for port in set(ports):
                rule = pack("=QQ", _CONNECT_TCP, port)
                _call(libc, _ADD_RULE, ruleset, _NET_PORT, rule, 0)
        _call(libc, _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_file(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | (_READ_FOLDER if stat.S_ISDIR(os.fstat(file).st_mode) else 0)
        _call(libc, _ADD_RULE, ruleset, _PATH_BENEATH, pack("=Qi", rights, file), 0)
    finally:
        os.close(file)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    done = libc.syscall(ctypes.c_long(number), *arguments)
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(done)
