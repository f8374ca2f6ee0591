"""Reading of files that decide access: opened once, checked by descriptor, then read."""

from __future__ import annotations

import os
import stat

from allowsync.model.value import Value
from allowsync.text import printable
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ROOT: Final = 0
LARGEST_FILE: Final = 16 * 1024 * 1024

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ANYTHING: Final = stat.S_IRWXG | stat.S_IRWXO

# Without O_NONBLOCK, opening a FIFO would wait forever for a writer.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class RefusedError(Exception):
    """A file cannot be read, or must not be trusted. The text says why, and what to do."""


class MissingError(RefusedError):
    """There is no file of that name."""


class FileRequirements(Value):
    """The requirements of a file.

    Attributes:
        uid: The user who reads. Owners and modes are checked for root only.
        largest: The largest size, in bytes.
        secret: Whether it must not be readable by others either.
        vouched: Whether another program (systemd) guarantees its owner and mode.
    """

    uid: int
    largest: int
    secret: bool = False
    vouched: bool = False


def read_checked(path: Path, demands: FileRequirements) -> bytes:
    """The content of a regular file that meets the requirements.

    Owner and mode are taken from the open descriptor, so that the file cannot be replaced between
    check and reading.

    Raises:
        RefusedError: It is missing, unreadable, no regular file, too large, or for root: others
            could change it (or read it, if it is a secret).
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise MissingError("file not found") from None
    except (OSError, ValueError) as error:
        raise RefusedError(_cannot_open(error)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"this is {_sort_of_file(status.st_mode)}, not a file")
        if demands.uid == ROOT and not demands.vouched:
            _judge_file(path, status, secret=demands.secret)
            _judge_folders(path)
        return _content(descriptor, demands.largest)
    finally:
        os.close(descriptor)


def _content(descriptor: int, largest: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while part := os.read(descriptor, largest + 1 - size):
            parts.append(part)
            size += len(part)
            if size > largest:
                raise RefusedError(f"larger than {_size(largest)}")
    except OSError as error:
        raise RefusedError(f"cannot be read: {error.strerror}") from None
    return b"".join(parts)


def _judge_file(path: Path, status: os.stat_result, *, secret: bool) -> None:
    if status.st_uid != ROOT:
        raise RefusedError(
            f"belongs to user {status.st_uid}: only root may be able to change what root runs by "
            f"(chown root {_shown(path)})"
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS_WRITE:
        raise RefusedError(f"others may write it (mode {mode:04o}): chmod go-w {_shown(path)}")
    if secret and mode & _OTHERS_ANYTHING:
        raise RefusedError(f"others may read it (mode {mode:04o}): chmod 600 {_shown(path)}")


def _judge_folders(path: Path) -> None:
    """Refuse a folder that others may write: they can replace a file or a link in it."""
    for folder in dict.fromkeys((path.absolute().parent, path.resolve().parent)):
        try:
            status = folder.stat()
        except OSError as error:
            raise RefusedError(f"its folder cannot be accessed: {error.strerror}") from None
        mode = stat.S_IMODE(status.st_mode)
        # In a sticky folder such as /tmp, only root can replace files of root.
        if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
            raise RefusedError(
                f"others may write its folder {_shown(folder)} (mode {mode:04o}): chmod go-w it"
            )
        if status.st_uid != ROOT:
            raise RefusedError(
                f"its folder {_shown(folder)} belongs to user {status.st_uid}: "
                "only root may be able to change what root runs by"
            )


def _cannot_open(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else "not a name a file can have"
    return f"cannot be opened: {reason}"


def _sort_of_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device"


def _shown(path: Path) -> str:
    return printable(str(path))


def _size(count: int) -> str:
    return f"{count // 1024**2} MiB" if count >= 1024**2 else f"{count // 1024} KiB"


def digest_of(*parts: bytes) -> str:
    """The digest of a content, given as a whole or in parts."""
    # hashlib loads OpenSSL, which takes longer than the digest.
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

    digest = blake2b(digest_size=32)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
