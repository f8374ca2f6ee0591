"""What something was read from, and how to see cheaply whether it is still the same.

A run that finds everything just as the run before found it has nothing to do, and needs to
understand nothing to know that (see `allowsync.glance`).
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import Final, TypeAlias

from allowsync.glance.files import numbers

# File times come from a clock that ticks every few milliseconds: two changes within one tick look
# like one.
TICK: Final = 100_000_000  # nanoseconds

LARGEST: Final = 1 << 18  # characters


@dataclass(frozen=True, slots=True)
class FileSight:
    """A file or folder as it was: whatever changes it changes one of these numbers (inode(7)).

    Attributes:
        path: Its absolute path.
        numbers: Device, inode, mode, owner, group; for anything but a folder also size, and the
            times of the last change of its content and of itself in nanoseconds. Empty for a file
            that does not exist.
        settled: Whether it had been left alone for long enough that another change would show.
    """

    path: str
    numbers: tuple[int, ...]
    settled: bool = True


@dataclass(frozen=True, slots=True)
class CommandSight:
    """A command that changes nothing, and what it wrote to standard output.

    `settled` is False for an output too large to be kept.
    """

    argv: tuple[str, ...]
    output: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class SocketSight:
    """A question asked at a Unix socket, and what was answered until the other side hung up.

    `settled` is False for an answer too large to be kept.
    """

    path: str
    question: str
    answer: str
    settled: bool = True


Sight: TypeAlias = FileSight | CommandSight | SocketSight


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
