"""A run that is rolled back unless it is confirmed in time.

The asking process may die with the terminal. So before anything is applied, a process is started in
a session of its own, with a snapshot of everything. It rolls back when the time is over, on
request, and when the asking process is gone. It holds the run lock all the while.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from select import select
from typing import TYPE_CHECKING, Final, NoReturn

from allowsync.backend.api import BackendError
from allowsync.engine.published import with_known
from allowsync.engine.rollback.snapshot import (
    RollbackResult,
    TargetSnapshot,
    drop_copy,
    keep,
    keep_state,
    put_back,
    put_state_back,
)
from allowsync.model.value import Value
from allowsync.state import Lock, StateError, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from allowsync.config.settings import Config, Target
    from allowsync.state import TargetRecord

# The longest time until a run is applied, beside the time to confirm it: as long as under systemd.
LONGEST_RUN: Final = 600.0  # seconds
# A command that a killed run had just started may still be running.
AFTERMATH: Final = 1.0  # seconds

_APPLIED, _KEEP, _REVERT = b"a", b"k", b"r"
_IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)


class CannotConfirm(Exception):
    """A target could not be rolled back, so nothing was applied. `target` is its name."""

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target}: {why}")
        self.target = target
        self.why = why


class ConfirmResult(Value):
    """The outcome.

    Attributes:
        kept: Whether the changes stay.
        targets: The result of each target's rollback, where they do not.
        problem: Another failure, as text; empty when there was none.
    """

    kept: bool
    targets: tuple[RollbackResult, ...] = ()
    problem: str = ""


class RunSnapshot(Value):
    """A snapshot of everything before the run."""

    state: Path
    targets: tuple[TargetSnapshot, ...]
    at: datetime


class Watch(Value):
    """The channel to the watchdog process. Only the first command to it counts."""

    channel: socket.socket

    def fileno(self) -> int:
        """The descriptor, readable once it is decided."""
        return self.channel.fileno()

    def applied(self) -> None:
        """Start the time to confirm."""
        self._say(_APPLIED)

    def keep(self) -> ConfirmResult:
        """Confirm: everything stays, unless the time was over already."""
        self._say(_KEEP)
        return self.verdict()

    def revert(self) -> ConfirmResult:
        """Roll everything back now."""
        self._say(_REVERT)
        return self.verdict()

    def verdict(self) -> ConfirmResult:
        """Wait for the outcome."""
        said = b""
        with suppress(ConnectionError):
            while piece := self.channel.recv(65536):
                said += piece
        if not said:
            what = "the process for the rollback was ended"
            return ConfirmResult(kept=False, problem=f"could not confirm the rollback: {what}")
        found = json.loads(said)
        targets = tuple(RollbackResult(**one) for one in found["targets"])
        return ConfirmResult(found["kept"], targets, found["problem"])

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # the process is gone, and `verdict` reports that
            self.channel.sendall(word)


def look(config: Config, targets: tuple[Target, ...], at: datetime) -> RunSnapshot:
    """Take a snapshot of everything, and mark the coming change as pending confirmation.

    The caller holds the lock.

    Raises:
        CannotConfirm: A target could not be rolled back.
        StateError: The state cannot be copied.
    """
    keep_state(config.state)
    try:
        with Store.writing(config.state) as store:
            records = store.targets()
            kept = tuple(_kept(one, records.get(one.name)) for one in _known(config, targets))
            store.set_unconfirmed([one.target for one in kept], at)
    except BaseException:
        drop_copy(config.state)
        raise
    return RunSnapshot(config.state, kept, at)


def _known(config: Config, targets: Iterable[Target]) -> Iterator[Target]:
    """Targets with the networks of their sources, where these are known."""
    filled = {one.name: one for one in with_known(config).targets}
    return (one if filled[one.name].broken else filled[one.name] for one in targets)


def _kept(target: Target, record: TargetRecord | None) -> TargetSnapshot:
    try:
        return keep(target, record)
    except BackendError as error:
        raise CannotConfirm(target.name, str(error)) from error


def start(before: RunSnapshot, wait: timedelta, lock: Lock) -> Watch:
    """Start the process that rolls everything back `wait` after it was applied.

    Raises:
        OSError: It could not be started.
    """
    ours, theirs = socket.socketpair()
    asker = os.getpid()
    with lock.shared():
        child = os.fork()
    if child == 0:
        _become_watch(before, wait.total_seconds(), lock, ours, theirs, asker)
    theirs.close()
    os.waitpid(child, 0)
    if ours.recv(1) != _APPLIED:
        raise OSError("the process for the rollback could not be started")
    return Watch(ours)


def _become_watch(
    before: RunSnapshot,
    wait: float,
    lock: Lock,
    ours: socket.socket,
    theirs: socket.socket,
    asker: int,
) -> NoReturn:
    """In the child: leave terminal, session and parent (daemon(7)), then watch."""
    code = 1
    try:
        ours.close()
        os.setsid()
        with lock.shared():
            child = os.fork()
        if child == 0:
            _let_go(theirs)
            theirs.sendall(_APPLIED)
            _watch(before, wait, lock, theirs, asker)
        code = 0
    finally:
        # No code of the copied process must run twice: no `finally`, no buffer.
        os._exit(code)


def _let_go(channel: socket.socket) -> None:
    """Ignore signals except SIGTERM, which means: now. Close pipes and terminal."""
    for one in _IGNORED:
        signal.signal(one, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: channel.shutdown(socket.SHUT_RD))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.chdir("/")


def _watch(
    before: RunSnapshot, wait: float, lock: Lock, channel: socket.socket, asker: int
) -> None:
    verdict = _keep(before) if _confirmed(channel, wait, asker) else _revert(before)
    lock.__exit__(None, None, None)
    with suppress(OSError):
        channel.sendall(json.dumps(asdict(verdict)).encode())
    _log(verdict)


def _confirmed(channel: socket.socket, wait: float, asker: int) -> bool:
    """Whether it is confirmed in time. Afterwards the run is over in any case."""
    ends, applied = time.monotonic() + LONGEST_RUN + wait, False
    while select([channel], [], [], max(0.0, ends - time.monotonic()))[0]:
        word = _heard(channel)
        if word != _APPLIED:
            if not (applied or word):
                time.sleep(AFTERMATH)
            return word == _KEEP
        ends, applied = time.monotonic() + wait, True
    if not applied:
        # It hangs, and still has its end of the channel: no other process can have its number.
        with suppress(ProcessLookupError):
            os.kill(asker, signal.SIGKILL)
        time.sleep(AFTERMATH)
    return False


def _heard(channel: socket.socket) -> bytes:
    try:
        return channel.recv(1)
    except OSError:
        return b""


def _keep(before: RunSnapshot) -> ConfirmResult:
    try:
        with Store.writing(before.state) as store:
            store.set_confirmed(one.target for one in before.targets)
            store.note_kept_run(before.at)
        drop_copy(before.state)
    except (StateError, OSError) as error:
        return ConfirmResult(kept=True, problem=f"the next run does not know of it: {error}")
    return ConfirmResult(kept=True)


def _revert(before: RunSnapshot) -> ConfirmResult:
    """Roll back targets first, for a user may be locked out; then their memory."""
    done = put_back(before.targets)
    differed = [one.target for one in done if one.differed]
    try:
        put_state_back(before.state, dict.fromkeys(differed, before.at))
    except StateError as error:
        return ConfirmResult(kept=False, targets=tuple(done), problem=str(error))
    return ConfirmResult(kept=False, targets=tuple(done))


def _log(verdict: ConfirmResult) -> None:
    """Write to the system's log; the asking process may be gone."""
    if verdict.kept:
        return
    import syslog

    syslog.openlog("allowsync")
    syslog.syslog(syslog.LOG_WARNING, "not confirmed in time: all changes were rolled back")
    for one in verdict.targets:
        if one.reason:
            syslog.syslog(syslog.LOG_ERR, f"{one.target} could not be rolled back: {one.reason}")
