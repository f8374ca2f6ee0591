"""A folder in which one file is replaced, safely against crashes and against other users.

Every name is looked up in the folder as it was opened, and links are never followed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class NotOurs(BackendError):
    """An object of that name exists, but we did not create it."""


class PartlyOurs(NotOurs):
    """A file holds our content, and lines that others wrote around it."""


class Contents(Value):
    """A file as found: its bytes, permission bits and owner."""

    data: bytes
    mode: int
    uid: int

    @property
    def text(self) -> str:
        """The bytes as UTF-8, with replacements for invalid ones."""
        return self.data.decode(errors="replace")


class Folder:
    """An open folder.

    Raises:
        BackendError: It does not exist, cannot be opened, or others may swap files in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise BackendError(f"folder {path} does not exist; make it, or change path") from None
        except OSError as error:
            raise BackendError(f"folder {path} cannot be opened: {error.strerror}") from error
        if _open_to_others(os.fstat(self._fd)):
            os.close(self._fd)
            raise BackendError(
                f"folder {path} is writable by others, who could replace the file; revoke that "
                f"(chmod go-w {path})"
            )

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def read(self, name: str) -> Contents | None:
        """Return a file's contents; None when there is none.

        Raises:
            NotOurs: It is a link or no regular file.
            OSError: It could not be read.
        """
        try:
            found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no regular file"
            raise NotOurs(f"{self.path / name} is {kind} and is left alone")
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        with os.fdopen(fd, "rb") as file:
            opened = os.fstat(fd)
            return Contents(file.read(), stat.S_IMODE(opened.st_mode), opened.st_uid)

    def has(self, name: str) -> bool:
        """Whether a file of that name exists."""
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def create(self, name: str, data: bytes, mode: int) -> None:
        """Write a new file, whole and on the disk; nothing is left of it on failure.

        Raises:
            OSError: It could not be written, or one of that name exists.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=self._fd)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, mode)
                os.fsync(fd)
        except BaseException:
            self.remove(name)
            raise

    def link(self, name: str, new: str) -> None:
        """Give a file a second name that must be free.

        Raises:
            OSError: It could not be done.
        """
        os.link(name, new, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)

    def replace(self, name: str, by: str) -> None:
        """Rename one file over another, which may be missing, in one step.

        Raises:
            OSError: It could not be done.
        """
        os.rename(by, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a file if it exists.

        Raises:
            OSError: It could not be removed.
        """
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def sync(self) -> None:
        """Wait until new names and removals are on the disk.

        Raises:
            OSError: They may not be.
        """
        os.fsync(self._fd)


def _open_to_others(folder: os.stat_result) -> bool:
    """Whether another user could swap files in a folder that root writes to.

    The sticky bit keeps others from renaming files that are not theirs (inode(7)).
    """
    if os.geteuid() != 0 or folder.st_mode & stat.S_ISVTX:
        return False
    by_group = folder.st_mode & stat.S_IWGRP and folder.st_gid != 0
    return bool(folder.st_mode & stat.S_IWOTH or by_group)
