"""The run lock: two runs never overlap.

An advisory lock (flock(2)) on a file beside the state database. The kernel releases it when the
process ends, however it ends, so a crash never leaves it behind. The file itself stays: removing a
locked file would let two runs hold locks on two files of one name.

The lock names the configuration that owns the state. Another configuration beside it is refused:
it would treat the first one's targets as its own orphans. Former names of the configuration
follow, as gates carry a mark derived from them. The configuration of a mark is noted until the
next restart, too, as a state may be lost or left behind together with its lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from allowsync.model.outcome import ExitCode
from allowsync.model.target import installation_of
from allowsync.state.errors import StateUnwritable, reason
from allowsync.state.files import as_owner, link_mark, prepare_folder, take_mark, until_restart
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NOT_NOW: Final = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)

_LONGEST: Final = 4096  # bytes of a path, limits.h
_MOST_NAMES: Final = 8
# Names of whatever a process has open there: no path of a configuration.
_PASSING: Final = ("/dev/fd/", "/dev/std", "/proc/")


_held: Final[set[int]] = set()


def _let_go() -> None:
    """Close the locks in a child, such as a backend forks: it may outlive the run by days."""
    for one in _held:
        with suppress(OSError):
            os.close(one)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


class Busy(Exception):
    """Another run holds the lock."""

    code = ExitCode.BUSY

    def __init__(self, path: Path, what: str = "") -> None:
        super().__init__(what or f"another run holds {path}")
        self.path = path


class OthersState(Busy):
    """The state belongs to another configuration on this machine."""

    code = ExitCode.USAGE

    def __init__(self, state: Path, other: Path) -> None:
        super().__init__(state, whose(other) + "; nothing was changed")


def whose(other: Path) -> str:
    """The message for a state that belongs to another configuration."""
    return (
        f"is the state of the configuration {other}; set another `state:` in this one, or replace "
        "that one with it"
    )


def other_configuration(state: Path, configuration: Path) -> Path | None:
    """The configuration that owns a state, where it is another one; None where unknown."""
    with suppress(OSError, StateUnwritable), as_owner(state):
        descriptor = os.open(_of(state), os.O_RDONLY | _FLAGS)
        try:
            return _other(descriptor, configuration)
        finally:
            os.close(descriptor)
    return None


def installations(state: Path) -> frozenset[str]:
    """The marks of the configuration that owns a state, under each name it has had.

    A name that another configuration has by now belongs to that one.
    """
    with suppress(OSError, StateUnwritable), as_owner(state):
        descriptor = os.open(_of(state), os.O_RDONLY | _FLAGS)
        try:
            names = _names(descriptor)
        finally:
            os.close(descriptor)
        kept = [one for one in names[1:] if not _another(one, Path(os.fsdecode(names[0])))]
        return frozenset(map(installation_of, (*names[:1], *kept)))
    return frozenset()


def note_configuration(configuration: Path, state: Path) -> None:
    """Note until the next restart the configuration behind a mark, and its state."""
    if name := _named(configuration):
        mark, what = _note_of(installation_of(name)), f"{_absolute(state)}\n{os.fsdecode(name)}"
        with suppress(OSError):
            if os.readlink(mark) == what:  # noqa: PTH115 - no Path here
                return
        link_mark(mark, what)


def forget_configuration(configuration: Path) -> None:
    """Delete the note about a configuration."""
    take_mark(_note_of(installation_of(_named(configuration))))


def state_before(configuration: Path, state: Path) -> str:
    """The other state a configuration had since the last restart; empty where none is noted."""
    before, _ = _noted(installation_of(_named(configuration)))
    return "" if before == _absolute(state) else before


def is_gone(installation: str) -> bool:
    """Whether the configuration behind a mark is known, and its file does not exist any more."""
    _, name = _noted(installation)
    with suppress(OSError, ValueError):
        try:
            return bool(name) and not os.stat(name)  # noqa: PTH116 - no Path here
        except (FileNotFoundError, NotADirectoryError):
            return True
    return False


def _noted(installation: str) -> tuple[str, str]:
    """The noted state and path of a configuration; empty where unknown."""
    with suppress(OSError):
        state, _, name = os.readlink(_note_of(installation)).partition("\n")  # noqa: PTH115
        if installation_of(os.fsencode(name)) == installation:
            return state, name
    return "", ""


def _note_of(installation: str) -> str:
    return f"{until_restart()}/{installation}.configuration"


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - `..` must not follow links


def _of(state: Path) -> Path:
    return state.with_name(state.name + ".lock")


def _other(descriptor: int, configuration: Path) -> Path | None:
    """The configuration that a lock names, where that exists beside this one; else it was moved."""
    written = next(iter(_names(descriptor)), b"")
    if not written or written == _named(configuration):
        return None
    return _another(written, configuration)


def _another(written: bytes, configuration: Path) -> Path | None:
    """The path of another configuration, where that exists beside this one."""
    with suppress(OSError, ValueError):
        other = Path(os.fsdecode(written))
        if other.is_absolute() and other.is_file() and not other.samefile(configuration):
            return other
    return None


def _names(descriptor: int) -> list[bytes]:
    """The names in a lock: the present one of the configuration, and its former ones."""
    try:
        written = os.pread(descriptor, (_LONGEST + 1) * _MOST_NAMES, 0)
    except OSError:  # a pipe
        return []
    return [one for one in written.split(b"\0") if one]


def _named(configuration: Path) -> bytes:
    path = _absolute(configuration)
    return b"" if path.startswith(_PASSING) else os.fsencode(path)


def obstacle(state: Path) -> str:
    """Obstacles to holding the lock and writing the state; empty where none is detected."""
    with suppress(OSError):
        path = _of(state)
        if path.is_symlink() or path.is_dir():
            return f"its lock {path.name} is not a regular file"
        if os.statvfs(state.parent).f_flag & os.ST_RDONLY:
            return "it is on a read-only file system: what runs learn is forgotten"
    return ""


class Lock:
    """A context manager that holds the lock of one state database.

    Args:
        state: The database.
        configuration: The owner of the state from now on; None leaves it unchanged.

    Raises:
        Busy: Another run holds it, or the state belongs to another configuration (`OthersState`).
            Nothing was touched.
        StateUnwritable: The lock file cannot be made, or is a link.
    """

    def __init__(self, state: Path, configuration: Path | None = None) -> None:
        self._state = state
        self._configuration = configuration
        self._path = _of(state)
        self._apart = True  # from the state: a file of nothing but the owner's name
        self._descriptor = -1

    def __enter__(self) -> Lock:
        with as_owner(self._state):
            prepare_folder(self._path.parent)
            self._descriptor = self._opened()
        _held.add(self._descriptor)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._release()
            if isinstance(error, BlockingIOError):
                raise Busy(self._path) from None
            raise StateUnwritable(self._path, reason(error)) from error
        if self._configuration is not None:
            self._claim(self._configuration)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _opened(self) -> int:
        """Open the lock file; where it can neither be made nor written, read-only.

        On a disk that was always read-only there is none: there the state itself is locked.
        """
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        except OSError as error:
            for path in (self._path, self._state) if error.errno in _NOT_NOW else ():
                with suppress(OSError):
                    descriptor = os.open(path, os.O_RDONLY | _FLAGS)
                    self._apart = path == self._path
                    return descriptor
            raise StateUnwritable(self._path, reason(error)) from error

    def _claim(self, configuration: Path) -> None:
        """Write a configuration into the lock, unless it names another existing one."""
        if not self._apart:
            return
        other = _other(self._descriptor, configuration)
        if other is not None:
            self._release()
            raise OthersState(self._state, other)
        named, before = _named(configuration), _names(self._descriptor)
        with suppress(OSError):  # a read-only disk: then it names none, or the one before
            if named and before[:1] != [named]:
                names = [named, *(one for one in before if one != named)][:_MOST_NAMES]
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, b"\0".join(names), 0)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let a child that is forked meanwhile hold the lock as well."""
        _held.discard(self._descriptor)
        try:
            yield
        finally:
            _held.add(self._descriptor)

    def _release(self) -> None:
        _held.discard(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
