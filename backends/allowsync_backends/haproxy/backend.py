"""The backend of a list that HAProxy is reloaded for."""

from __future__ import annotations

from dataclasses import dataclass

from allowsync.plan import Plan
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.file.change import StillUsed


@dataclass(frozen=True, slots=True)
class ReloadedBackend(FileBackend):
    """A file that HAProxy reads when it starts, and whenever it is reloaded."""

    def clear(self) -> None:
        """Remove the file, or all that is in it where HAProxy would not start without it.

        Raises:
            BackendError: Something may be left, or HAProxy may still go by it.
        """
        try:
            FileBackend.clear(self)
        except StillUsed:
            self.apply(Plan("", repair=("nobody is to be left in it",)))
