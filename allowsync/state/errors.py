"""Errors of the state."""

from __future__ import annotations

import os

from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class StateError(Exception):
    """The state could not be used. `path` is the file, `why` the reason."""

    def __init__(self, path: Path, why: str | None) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why or "unknown error"


def reason(error: OSError) -> str | None:
    """The operating system's message, with a remedy where a permission is missing."""
    if isinstance(error, PermissionError) and os.geteuid():
        return f"{error.strerror}; run it with sudo, or as the owner of the state"
    return error.strerror


class StateUnwritable(StateError):
    """The state cannot be written: a full or read-only disk, a missing permission, a link."""


class StateDamaged(StateError):
    """The file is no state database of allowsync, is damaged, or a newer allowsync wrote it."""
