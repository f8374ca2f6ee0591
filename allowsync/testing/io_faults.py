"""Observation of I/O step by step, and faults at single steps.

Files, processes and connections that Python code opens raise audit events (PEP 578), whose hooks
may raise. So every backend can be observed, whatever it does, without replacing anything.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from allowsync.system import process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

_LOOKS: Final = frozenset({"os.listdir", "os.scandir"})
_STARTS: Final = frozenset({"subprocess.Popen", "os.posix_spawn", "os.exec"})
_CONNECTIONS: Final = frozenset(
    {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.bind"}
)
_FILES: Final = frozenset(
    {
        *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"),
        *("os.truncate", "os.chmod", "os.chown"),
    }
)
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CODE: Final = (".py", ".pyc", ".so")
_BYTECODE: Final = "__pycache__"


@dataclass(frozen=True, slots=True)
class IoStep:
    """One step of I/O: an audit event, its subject, and whether it only reads."""

    event: str
    subject: str
    reads: bool


def _input_output_error() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@dataclass(slots=True)
class IoWatch:
    """The steps taken while it is active, and the disturbed one (counted from 1; 0: none).

    Attributes:
        fails: The number of the disturbed step.
        fault: The disturbance, just before that step.
        steps: Every step so far.
    """

    fails: int = 0
    fault: Callable[[], object] = _input_output_error
    steps: list[IoStep] = field(default_factory=list)

    @property
    def touched(self) -> list[IoStep]:
        """The steps that do more than read files."""
        return [step for step in self.steps if not step.reads]

    @property
    def written(self) -> set[str]:
        """The absolute paths that this process itself changed or opened for writing."""
        changes = [one.subject for one in self.touched if one.event in _FILES | {"open"}]
        return {path for path in changes if path.startswith("/")}

    @property
    def starts(self) -> list[str]:
        """The name of each program that was started, once for each start."""
        started = [step.subject for step in self.steps if step.event in _STARTS]
        return [name.rpartition("/")[2] for name in started]

    @property
    def programs(self) -> set[str]:
        """The names of the programs that were started."""
        return set(self.starts)

    def take(self, step: IoStep) -> None:
        """Record a step, and disturb it if it is the one. Raises what the disturbance raises."""
        self.steps.append(step)
        if len(self.steps) == self.fails:
            self.fault()


@contextmanager
def io_watch(
    fails: int = 0, fault: Callable[[], object] = _input_output_error
) -> Iterator[IoWatch]:
    """Observe all I/O steps of this process, in any thread.

    Args:
        fails: The step to disturb, counted from 1; 0 for none.
        fault: The disturbance: by default the step fails.
    """
    watch = IoWatch(fails, fault)
    _install()
    _active.append(watch)
    try:
        yield watch
    finally:
        _active.pop()


@contextmanager
def io_pause() -> Iterator[None]:
    """Suspend faults and counting in this context."""
    with io_watch(), _search_path([one for one in _path() if one not in _failing]):
        yield


@contextmanager
def fake_programs(folder: Path) -> Iterator[None]:
    """Search programs in this folder first, for `run_tool` as well."""
    with _search_path([str(folder), *_path()]):
        yield


@contextmanager
def io_unwatched() -> Iterator[None]:
    """Exclude this thread's steps: a server that runs in the test's own process."""
    _unwatched.add(get_ident())
    try:
        yield
    finally:
        _unwatched.discard(get_ident())


def failing_programs(names: Iterable[str]) -> AbstractContextManager[None]:
    """Replace programs of these names by ones that end with 1 and do nothing."""
    return _replaced(names, "exit 1")


def unreadable_programs(names: Iterable[str]) -> AbstractContextManager[None]:
    """Replace programs of these names by ones that print nonsense and end with 0."""
    return _replaced(names, "echo '?! <nonsense'")


def killed_programs(names: Iterable[str], number: int) -> AbstractContextManager[None]:
    """Kill that one of all starts of such programs by a signal, once its work is done."""
    return _replaced(
        names,
        'PATH=${PATH#*:} name=${0##*/} starts="${0%/*}/starts of all"\n'
        'echo >>"$starts"\n'
        f'[ "$(wc -l <"$starts")" -ne {number} ] && exec "$name" "$@"\n'
        '"$name" "$@"\n'
        "kill -9 $$",
    )


@contextmanager
def _replaced(names: Iterable[str], script: str) -> Iterator[None]:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for name in names:
            program = Path(folder, name)
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        _failing.append(folder)
        try:
            with _search_path([folder, *_path()]):
                yield
        finally:
            _failing.remove(folder)


def _path() -> list[str]:
    return process.PATH.split(":")


@contextmanager
def _search_path(folders: Iterable[str]) -> Iterator[None]:
    """Replace the search path for programs, of allowsync and of all other code here."""
    before = (process.PATH, os.environ.get("PATH", ""))
    process.PATH = os.environ["PATH"] = ":".join(folders)
    try:
        yield
    finally:
        process.PATH, os.environ["PATH"] = before


_failing: list[str] = []
_active: list[IoWatch] = []
_unwatched: set[int] = set()
_installed: list[bool] = []


def _install() -> None:
    # An audit hook stays for the life of the process.
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and get_ident() not in _unwatched and (step := _step(event, arguments)):
        _active[-1].take(step)


def _step(event: str, arguments: tuple[Any, ...]) -> IoStep | None:
    """The I/O step of an audit event; None for other events, and for imports."""
    subject = str(arguments[0]) if arguments else ""
    if event == "open" or event in _LOOKS:
        if _is_no_step(subject):
            return None
        writes = event == "open" and bool(int(arguments[2] or 0) & _WRITING)
        return IoStep(event, subject, not writes)
    if event in _FILES and _BYTECODE in subject.split("/"):
        return None  # an import for the first time keeps its bytecode
    if event in _STARTS or event in _CONNECTIONS or event in _FILES:
        return IoStep(event, subject, reads=False)
    return None


def _is_no_step(subject: str) -> bool:
    """Whether it is an imported file, or an open descriptor that gets a file object."""
    on_path = any(map(subject.startswith, filter(None, sys.path)))
    return on_path or subject.isdecimal() or subject.endswith(_CODE)
