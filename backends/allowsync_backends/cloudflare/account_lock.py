"""A lock for one writer per account: Cloudflare accepts one write to its lists at a time.

An advisory lock (flock(2)) on a file of the account's name, in the state's folder unless the
configuration names another; under systemd, its `STATE_DIRECTORY`. The kernel releases it when the
process ends, however it ends. Writers elsewhere meet the API's own refusal, HTTP 429.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync_backends.cloudflare.errors import AccountBusy, ApiCall, Unsent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync_backends.cloudflare.time_budget import Budget

PATIENCE: Final = 60.0  # seconds
_LOOK_AGAIN: Final = 0.2  # seconds


@contextmanager
def one_writer(account: str, budget: Budget) -> Iterator[None]:
    """Hold the lock of an account, against other processes of this user and machine.

    Raises:
        AccountBusy: Another process holds it, and did not finish in time. Nothing was changed.
        Unsent: The lock file cannot be made. Nothing was changed.
    """
    call = ApiCall("POST", f"/accounts/{account}/rules/lists")
    path = _folder(os.environ, os.geteuid()) / f"cloudflare-{account}.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise Unsent(call, f"{path} cannot be made: {error.strerror}") from error
    try:
        _acquire(descriptor, call, budget.at_most(PATIENCE))
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, call: ApiCall, waiting: Budget) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting.left < _LOOK_AGAIN:
                raise AccountBusy(call, waiting.spent) from None
            waiting.clock.sleep(_LOOK_AGAIN)
        else:
            return


def _folder(environ: Mapping[str, str], uid: int) -> Path:
    from allowsync.config.paths import state

    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given.startswith("/"):
        return Path(given)
    default = state(environ, uid)
    return default.parent if default is not None else Path(f"/tmp/allowsync-{uid}")  # noqa: S108
