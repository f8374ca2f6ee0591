"""Installed files, compared with the intended ones. Ours are marked in their first line.

That line has a checksum of the rest, which tells manual changes from files of an older version.
Only the latter are replaced without --force.
"""

from __future__ import annotations

import os
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value
from allowsync.schedule import units

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

    from allowsync.schedule.units import ScheduleFile

# What installs the schedule, for the user who asks: only root may do that.
INSTALL: Final = f"run '{'sudo ' if os.geteuid() else ''}allowsync schedule install'"
_MARK: Final = "# Written by 'allowsync schedule install', which replaces it. Checksum: "


class FileState(Enum):
    """The state of an installed file."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"  # ours, from an older version or another configuration
    EDITED = "edited"  # ours, and changed by hand
    FOREIGN = "foreign"  # not ours


MAY_BE_REPLACED: Final = (FileState.ABSENT, FileState.CURRENT, FileState.OUTDATED)
OURS: Final = (FileState.CURRENT, FileState.OUTDATED, FileState.EDITED)


class Disk(Value):
    """The file system below a folder: `/`, or the root of a system that is being built."""

    root: Path

    def at(self, path: PurePosixPath) -> Path:
        """The actual path of a path of that system."""
        return self.root / path.relative_to("/")

    def found(self, path: PurePosixPath, text: str | None = None) -> FileState:
        """The state of a file, given its intended text. Without one, any of ours is current.

        Raises:
            OSError: It could not be read.
        """
        there = self.at(path)
        if there.is_symlink():
            return FileState.FOREIGN
        try:
            content = there.read_text(errors="replace")
        except FileNotFoundError:
            return FileState.ABSENT
        if text is not None and content == marked(text):
            return FileState.CURRENT
        as_written = FileState.CURRENT if text is None else FileState.OUTDATED
        first, _, rest = content.partition("\n")
        if not first.startswith(_MARK):
            return as_written if _as_shipped(content) else FileState.FOREIGN
        return as_written if first.removeprefix(_MARK) == _checksum(rest) else FileState.EDITED

    def write(self, piece: ScheduleFile) -> None:
        """Write a file, whole or not at all.

        Raises:
            OSError: It could not be written.
        """
        path = self.at(piece.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # No suffix that systemd or cron would load.
        draft = path.with_name(f".{path.name}.allowsync-new")
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
            file.write(marked(piece.text))
            os.fchmod(file.fileno(), piece.mode)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file, and the folder of a drop-in that is empty then.

        Raises:
            OSError: It could not be removed.
        """
        there = self.at(path)
        there.unlink(missing_ok=True)
        folder = there.parent
        drop_ins = folder.name.endswith(".service.d")
        if drop_ins and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def marked(text: str) -> str:
    """A text with the line that marks it as ours."""
    return f"{_MARK}{_checksum(text)}\n{text}"


def _checksum(text: str) -> str:
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def _as_shipped(content: str) -> bool:
    """Whether it is an unchanged copy of a shipped template."""
    return any(content == units.template(name) for name in units.TEMPLATES)
