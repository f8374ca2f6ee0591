"""UFW's own lock, taken as UFW takes it, but with a limit of waiting."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final, Self

from allowsync.backend.api import BackendError
from allowsync_backends.ufw.tool import not_root

if TYPE_CHECKING:
    from types import TracebackType

PATH: Final = "/run/ufw.lock"
PATIENCE: Final = 20.0  # seconds; a `ufw reload` of many rules takes a few
PAUSE: Final = 0.02


class UfwLock:
    """Makes every `ufw` that would change something wait, as one does for another.

    `ufw` opens the file for writing and takes a POSIX lock on all of it (lockf(3)).

    Raises:
        BackendError: Another process held it for 20 s, or it cannot be taken.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            advice = f" ({not_root()})" if os.geteuid() else ""
            raise BackendError(f"{PATH} cannot be opened: {error.strerror}{advice}") from error
        deadline = time.monotonic() + self._patience
        while not self._taken():
            if time.monotonic() >= deadline:
                os.close(self._fd)
                raise BackendError(
                    f"another ufw has held {PATH} for {self._patience:g} s; nothing was changed. "
                    "See 'ps -C ufw' for what it waits for"
                )
            time.sleep(PAUSE)
        return self

    def _taken(self) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)


def exists() -> bool:
    """Whether any `ufw` has taken the lock since the machine started."""
    return os.path.lexists(PATH)
