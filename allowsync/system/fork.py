"""A copy of this process that inherits nothing but its pipes, and what it may use.

What takes its rights away is `allowsync.system.sandbox`.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from fcntl import F_DUPFD, fcntl

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Entry = Callable[..., object]

_REAPED_WITHIN: Final = 1.0  # seconds; a process that was killed is gone long before
_FIRST: Final = 3  # of the files that the copy keeps


class Confinement(Value):
    """What rights a process gave up.

    Attributes:
        is_sound: It is not root any more, or has no access to files, or was kept by others from
            what makes root powerful.
        lacking: What could not be given up, and why; empty where there is nothing.
    """

    is_sound: bool
    lacking: str


class Bounds(Value):
    """What the process may use from now on.

    Attributes:
        memory: Bytes of its own, without what is mapped from files.
        processor: Seconds of processor time.
        ports: TCP ports that may be connected to.
        readable: Files that must be found later, by their path; folders with all that is in them.
    """

    memory: int
    processor: int
    ports: tuple[int, ...] = ()
    readable: tuple[str, ...] = ()


class Fork:
    """A copy of this process at work. Made before there are threads.

    Args:
        entry: What it does, with the pipe it reads, the pipe it writes, and what it keeps; when it
            returns or raises, the copy ends.
        keeps: Further files that it inherits.

    Attributes:
        source: What the copy writes; reading never blocks.
        sink: What the copy reads; writing never blocks.

    Raises:
        OSError: There is no room for one more.
    """

    def __init__(self, entry: Entry, keeps: Sequence[int] = ()) -> None:
        ends: list[int] = []
        self._maker = os.getpid()
        try:
            ends += os.pipe()
            ends += os.pipe()
            self._pid = forked()
        except OSError:
            for end in ends:
                os.close(end)
            raise
        self.source, writes, reads, self.sink = ends
        if self._pid == 0:
            _be_the_copy(entry, (reads, writes, *keeps))
        os.close(reads)
        os.close(writes)
        os.set_blocking(self.source, False)
        os.set_blocking(self.sink, False)

    def end(self, patience: float = 0.0) -> str:
        """End the copy, whatever it does.

        Args:
            patience: For how many seconds it may still end by itself.

        Returns:
            How it ended by itself, if it did.
        """
        os.close(self.source)
        os.close(self.sink)
        how = self._reaped(patience)
        if how is None or self._maker != os.getpid():
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(self._pid, 9)
            self._reaped(_REAPED_WITHIN)
        return how or ""

    def _reaped(self, within: float) -> str | None:
        """How it ended; None while it goes on."""
        until, pause = time.monotonic() + within, 0.0005
        while (how := self._reaped_now()) is None and time.monotonic() < until:
            time.sleep(pause)
            pause = min(0.02, 2 * pause)
        return how

    def _reaped_now(self) -> str | None:
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # something else has waited for it
            return ""
        if pid == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def write_all(sink: int, data: bytes) -> None:
    """Write to a pipe that may block, however little it takes at once. Raises OSError."""
    while data:
        data = data[os.write(sink, data) :]


def forked() -> int:
    """Fork, whatever threads there are. Raises OSError."""
    if sys.version_info >= (3, 12):
        import warnings

        # Other threads there may be in a program that calls this one, and they are not copied.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return os.fork()
    return os.fork()


def _be_the_copy(entry: Entry, files: Sequence[int]) -> NoReturn:
    """Never returns to what this process was doing."""
    code = 1
    try:
        entry(*_keep_only(files))
        code = 0
    finally:
        os._exit(code)


def _keep_only(files: Sequence[int]) -> range:
    """Close everything but these; nothing is read from or said to the terminal any more."""
    numbers = range(_FIRST, _FIRST + len(files))
    kept = [fcntl(one, F_DUPFD, numbers.stop) for one in files]
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, file in enumerate((nothing, nothing, nothing, *kept)):
        os.dup2(file, number, inheritable=False)
    os.closerange(numbers.stop, os.sysconf("SC_OPEN_MAX"))
    return numbers


def held() -> int:
    """Octets of data that this process has now, which count for `Bounds.memory`."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
