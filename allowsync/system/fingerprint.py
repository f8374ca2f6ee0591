"""What something was read from, and how to see cheaply whether it is still the same.

A run that finds everything just as the run before found it has nothing to do, and needs to
understand nothing to know that (see `allowsync.fastpath`).
"""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from allowsync.model.fingerprint import CommandSight, FileSight, SocketSight

# File times come from a clock that ticks every few milliseconds: two changes within one tick look
# like one.
TICK: Final = 100_000_000  # nanoseconds

LARGEST: Final = 1 << 18  # characters


def of_file(path: str | os.PathLike[str]) -> FileSight:
    """A file as it is now. Links are looked at, not followed."""
    try:
        found = os.lstat(path)
    except OSError:
        return FileSight(os.fspath(path), ())
    settled = time.time_ns() - found.st_ctime_ns > TICK or stat.S_ISDIR(found.st_mode)
    return FileSight(os.fspath(path), numbers(found), settled)


def of_output(argv: tuple[str, ...], stdout: str) -> CommandSight:
    """What a command wrote."""
    if len(stdout) > LARGEST:
        return CommandSight(argv, "", settled=False)
    return CommandSight(argv, stdout)


def of_answer(path: str | os.PathLike[str], question: str, answer: str) -> SocketSight:
    """What was answered to a line."""
    if len(answer) > LARGEST:
        return SocketSight(os.fspath(path), question, "", settled=False)
    return SocketSight(os.fspath(path), question, answer)


def numbers(found: os.stat_result) -> tuple[int, ...]:
    """What `FileSight.numbers` holds: one definition for who writes it down and who looks again."""
    lasting = (found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid)
    if stat.S_ISDIR(found.st_mode):
        return lasting
    return (*lasting, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
