"""A new text for an existing configuration: valid as a whole, replaced in one step."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from allowsync.config.document import read_content
from allowsync.config.schema.context import Reading
from allowsync.config.secure_file import LARGEST_FILE, FileRequirements, RefusedError, read_checked
from allowsync.model.value import Value, replace
from allowsync.system.files import ACCESS_LIST, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.config.settings import Config

WAIT: Final = 10.0
_MISSING: Final = "file not found; to write one: allowsync init"
_BOM: Final = b"\xef\xbb\xbf"


class NotReplaced(Exception):
    """The file is unchanged; the text says why."""


class ConfigBusy(NotReplaced):
    """Another command is editing it."""


class ConfigFile(Value):
    """A configuration as read.

    Attributes:
        path: The file, as given.
        place: Its resolved path, links followed.
        content: Its content.
        status: Its identity: device, inode, size, and the times of its last changes.
    """

    path: Path
    place: Path
    content: bytes
    status: tuple[int, ...]

    @property
    def text(self) -> str:
        """The content as text. Raises NotReplaced if it is not UTF-8."""
        try:
            return self.content.removeprefix(_BOM).decode()
        except UnicodeDecodeError as error:
            raise NotReplaced(f"not UTF-8 text (byte {error.start + 1})") from None

    def reread(self, copy: Path) -> str:
        """The text of an edited copy. Raises OSError, and NotReplaced if it is not UTF-8."""
        return replace(self, content=copy.read_bytes()).text

    def with_text(self, text: str) -> bytes:
        """The bytes for a new text."""
        mark = _BOM if self.content.startswith(_BOM) else b""
        return mark + text.encode()


@contextmanager
def editing(path: Path, *, write: bool) -> Iterator[ConfigFile]:
    """Yield the configuration while no other command edits it.

    Args:
        path: The file.
        write: Whether it is to be replaced. Otherwise there is no lock to wait for.

    Raises:
        NotReplaced: It cannot be read, or not be replaced; the text says why.
    """
    place, folder = _opened(path)
    try:
        if write:
            _lock(folder)
        found = _read(path, place)
        if write:
            _check_ours(place)
        yield found
    finally:
        os.close(folder)


def _opened(path: Path) -> tuple[Path, int]:
    """The resolved path, and its folder as an open descriptor."""
    try:
        place = path.resolve()
        return place, os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotReplaced(_MISSING) from None
    except (OSError, RuntimeError) as error:
        raise NotReplaced(f"cannot be opened: {error}") from None


def validated(found: ConfigFile, text: str, state: Path | None) -> Config:
    """The configuration that a text would be in this file. Raises ConfigError."""
    reading = Reading(found.path, environ=os.environ, uid=os.geteuid())
    return read_content(found.with_text(text), reading, state)


def put(found: ConfigFile, text: str) -> None:
    """Replace the file's text. Mode, owner and access control list stay.

    Raises:
        NotReplaced: It was changed since it was read, or cannot be written.
    """
    try:
        status = found.place.stat()
        if _identity(status) != found.status:
            raise NotReplaced("it was changed meanwhile; nothing was written: try again")
        access = b""
        with suppress(OSError):  # most files have none
            access = os.getxattr(found.place, ACCESS_LIST)
        replace_file(
            found.place,
            found.with_text(text),
            status.st_mode & 0o7777,
            (status.st_uid, status.st_gid),
            durable=True,
            access=access,
        )
    except OSError as error:
        raise NotReplaced(f"cannot be replaced: {error.strerror}; it is as it was") from None


def _lock(folder: int) -> None:
    """Hold the folder's lock (flock(2)), without a lock file; the kernel releases it."""
    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise ConfigBusy("another command is editing it; nothing was changed") from None
            time.sleep(0.05)
        else:
            return


def _read(path: Path, place: Path) -> ConfigFile:
    try:
        before = place.stat()
        content = read_checked(path, FileRequirements(os.geteuid(), LARGEST_FILE))
        return ConfigFile(path, place, content, _identity(before))
    except RefusedError as error:
        raise NotReplaced(str(error)) from None
    except FileNotFoundError:
        raise NotReplaced(_MISSING) from None


def _check_ours(place: Path) -> None:
    """Check that the file may be replaced, keeping its owner. Raises NotReplaced."""
    status = place.stat()
    if status.st_nlink > 1:
        names = status.st_nlink
        raise NotReplaced(f"it has {names} names (hard links), and replacing it would part them")
    if os.geteuid() not in (0, status.st_uid):
        what = f"it belongs to user {status.st_uid}: only they, or root, may change it"
        raise NotReplaced(f"{what}; run the command with sudo")
    if not os.access(place, os.W_OK, effective_ids=True):
        raise NotReplaced("it cannot be written: it is read-only, or on a read-only disk")
    if not os.access(place.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise NotReplaced(f"its folder {place.parent} cannot be written")


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
