"""A copy of this process that inherits its pipes, and files on request, but nothing else.

`allowsync.system.sandbox` drops its privileges.
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

_REAPED_WITHIN: Final = 1.0  # seconds; a killed process is gone long before
_FIRST: Final = 3  # the lowest descriptor that the copy keeps


class Confinement(Value):
    """The privileges that a process gave up.

    Attributes:
        is_sound: It is no longer root, or has no access to files, or was deprived by others of
            root's capabilities.
        lacking: The privileges it could not give up, and why; empty if there are none.
    """

    is_sound: bool
    lacking: str


class Bounds(Value):
    """The limits of the process from now on.

    Attributes:
        memory: Bytes of its own, without mapped files.
        processor: Seconds of processor time.
        ports: TCP ports that it may connect to.
        readable: Files that it may open by path; folders with all that is in them.
    """

    memory: int
    processor: int
    ports: tuple[int, ...] = ()
    readable: tuple[str, ...] = ()


class Fork:
    """A running copy of this process. Made before there are threads.

    Args:
        entry: Its function, called with the pipe to read, the pipe to write, and the kept files;
            when it returns or raises, the copy ends.
        keeps: Further files that it inherits.

    Attributes:
        source: The output of the copy; reading never blocks.
        sink: The input of the copy; writing never blocks.

    Raises:
        OSError: Processes or descriptors are exhausted.
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
            patience: The time to end by itself, in seconds.

        Returns:
            The exit code or signal by which it ended by itself, if it did.
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
        """The exit code or signal of the copy; None while it runs."""
        until, pause = time.monotonic() + within, 0.0005
        while (how := self._reaped_now()) is None and time.monotonic() < until:
            time.sleep(pause)
            pause = min(0.02, 2 * pause)
        return how

    def _reaped_now(self) -> str | None:
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # already reaped by other code
            return ""
        if pid == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def write_all(sink: int, data: bytes) -> None:
    """Write to a pipe that may block, in as many pieces as necessary. Raises OSError."""
    while data:
        data = data[os.write(sink, data) :]


def forked() -> int:
    """Fork, in spite of other threads. Raises OSError."""
    if sys.version_info >= (3, 12):
        import warnings

        # A program that calls this one may have other threads; they are not copied.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return os.fork()
    return os.fork()


def _be_the_copy(entry: Entry, files: Sequence[int]) -> NoReturn:
    """Run the entry, and end the process."""
    code = 1
    try:
        entry(*_keep_only(files))
        code = 0
    finally:
        os._exit(code)


def _keep_only(files: Sequence[int]) -> range:
    """Close everything but these; the standard streams become /dev/null."""
    numbers = range(_FIRST, _FIRST + len(files))
    kept = [fcntl(one, F_DUPFD, numbers.stop) for one in files]
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, file in enumerate((nothing, nothing, nothing, *kept)):
        os.dup2(file, number, inheritable=False)
    os.closerange(numbers.stop, os.sysconf("SC_OPEN_MAX"))
    return numbers


def held() -> int:
    """The bytes of this process's data at present, which count for `Bounds.memory`."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
