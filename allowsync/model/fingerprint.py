"""Fingerprints of what a run was decided from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from allowsync.model.reply_mask import masked, time_offsets

if TYPE_CHECKING:
    from datetime import datetime

if TYPE_CHECKING:
    from datetime import datetime


MOST_QUESTIONS = 100  # answers that are kept as they came; a run with more is a whole one


Row: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came, to a question asked by one datagram over UDP.

    Attributes:
        address: The nameserver's address.
        port: Its port.
        section: The question section, in lower case.
        mixes: Whether it repeats the case of the question's letters.
        wire: The answer.
    """

    address: str
    port: int
    section: bytes
    mixes: bool
    wire: bytes

    @property
    def row(self) -> tuple[str, int, bytes, bool, bytes, str]:
        """How it is kept: without id, spelling and TTLs.

        Raises:
            IndexError: The answer is not well formed.
        """
        offsets = time_offsets(self.wire)
        reply = masked(self.wire, len(self.section), offsets)
        return (self.address, self.port, self.section, self.mixes, reply,
                " ".join(map(str, offsets)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Idle:
    """All that the next run has to see again to know that it has nothing to do.

    Attributes:
        program: Which program and version saw it.
        config: The configuration's absolute path.
        until: When the first access ends by itself; None when none does.
        sights: Files and listings.
        replies: Answers.
        hosts: The hosts it is about.
        watching: What is left for those who watch.
    """

    program: str
    config: str
    until: datetime | None
    sights: tuple[Sight, ...]
    replies: tuple[Reply, ...]
    hosts: tuple[str, ...]
    watching: tuple[Row, ...] = ()


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
