"""The only module that starts programs.

A command is data: pure functions of backends make it, tests compare it by `==`, `run` runs it:
without a shell, with a fixed search path and environment, in a process group of its own, and never
longer than its timeout.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager, suppress

from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# `LANGUAGE` must be absent, not empty: gettext prefers it over LC_ALL.
ENVIRONMENT: Final = {"PATH": PATH, "LC_ALL": "C"}


_STDIN, _STDOUT, _STDERR = range(3)
_CHUNK: Final = 65536
_MANY: Final = 1024  # the assumed limit of open files, without /proc
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)  # children would inherit that


class Command(Value):
    """A program to start.

    Attributes:
        argv: The program and its arguments.
        stdin: Its standard input.
        timeout: Its time limit in seconds.
        largest: The most bytes it may write to a stream; None for no limit.
        environment: Variables in addition to the fixed environment.
    """

    argv: tuple[str, ...]
    stdin: str = ""
    timeout: float = 30.0
    largest: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Completed(Value):
    """The result of a command. `code` is negative for a signal, as in `subprocess`."""

    command: Command
    code: int
    stdout: str
    stderr: str


class CommandError(Exception):
    """A command could not be run to its end."""

    def __init__(self, command: Command) -> None:
        super().__init__(command)
        self.command = command


class CommandMissing(CommandError):
    """The program could not be started: not installed, not executable, or resources exhausted."""

    def __init__(self, command: Command, reason: str = "") -> None:
        super().__init__(command)
        self.reason = reason

    def __str__(self) -> str:
        if self.reason:
            return f"{self.command.argv[0]} could not be started: {self.reason}"
        return f"{self.command.argv[0]} is not installed or may not be run"


class CommandTimedOut(CommandError):
    """The program was killed at its time limit; its effect by then is unknown."""

    def __str__(self) -> str:
        return f"{self.command.argv[0]} did not finish within {self.command.timeout:g} s"


class CommandBroken(CommandError):
    """The pipes of a program failed, and it was killed; its effect is unknown."""

    def __init__(self, command: Command, reason: str) -> None:
        super().__init__(command)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.command.argv[0]} could not be listened to: {self.reason}"


def run(command: Command) -> Completed:
    """Run a command and wait for it.

    Raises:
        CommandMissing: The program was not found on the fixed path, is not executable, or could
            not be started for lack of memory or processes.
        CommandTimedOut: It and its children were killed at the time limit.
        CommandBroken: It and its children were killed because its pipes failed.
    """
    try:
        program = _Program(command)
    except (FileNotFoundError, PermissionError) as error:
        raise CommandMissing(command) from error
    except OSError as error:
        raise CommandMissing(command, error.strerror or "") from error
    until = time.monotonic() + command.timeout
    try:
        stdout, stderr = program.exchange(command, until)
        code = program.wait(until)
    except TimeoutError:
        raise CommandTimedOut(command) from None
    except OSError as error:
        raise CommandBroken(command, error.strerror or str(error)) from error
    finally:
        program.end()
    return Completed(
        command, code, stdout.decode(errors="replace"), stderr.decode(errors="replace")
    )


class _Program:
    """A running program, and our ends of its pipes.

    Made without `subprocess`, which takes longer to import than nft to list a gate: nearly every
    run starts just that one program.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self, command: Command) -> None:
        theirs: list[int] = []
        self._ours: list[int] = []
        try:
            for one in (_STDIN, _STDOUT, _STDERR):
                reads, writes = os.pipe()
                theirs.append(writes if one else reads)
                self._ours.append(reads if one else writes)
            self._pid = _spawned(command, theirs)
        except BaseException:
            _close(self._ours)
            raise
        finally:
            _close(theirs)
        self._code: int | None = None

    def exchange(self, command: Command, until: float) -> tuple[bytearray, bytearray]:
        """Write its input, and read its output, until it closes its pipes.

        Raises:
            TimeoutError: The time limit has expired.
            OSError: A pipe failed, or it wrote too much.
        """
        sink, source, errors = self._ours
        unsent = memoryview(command.stdin.encode())
        read = {source: bytearray(), errors: bytearray()}
        waiting = select.poll()
        waiting.register(sink, select.POLLOUT)
        for end in read:
            waiting.register(end, select.POLLIN)
        while self._ours:
            for end, _ in waiting.poll(_left(until) * 1000):
                if end == sink:
                    unsent = unsent[_written(sink, unsent[: select.PIPE_BUF]) :]
                    over = not unsent
                else:
                    over = not (data := os.read(end, _CHUNK))
                    read[end] += data
                    if command.largest is not None and len(read[end]) > command.largest:
                        raise OSError(0, "it writes too much")
                if over:
                    waiting.unregister(end)
                    self._ours.remove(end)
                    os.close(end)
        return read[source], read[errors]

    def wait(self, until: float) -> int:
        """Wait for its exit code, or the signal that killed it as a negative number.

        If it was reaped by other code (SIGCHLD is ignored), it counts as successful, as in
        `subprocess`.

        Raises:
            TimeoutError: The time limit has expired.
        """
        pid, status, pause = 0, 0, 0.0005
        try:
            while not pid:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                if not pid:
                    time.sleep(min(pause, _left(until)))
                    pause = min(2 * pause, 0.05)
        except ChildProcessError:
            status = 0
        self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def end(self) -> None:
        """Close its pipes; kill it and its children, unless it has ended."""
        _close(self._ours)
        if self._code is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)


def _spawned(command: Command, streams: Sequence[int]) -> int:
    """Start a program in the root folder, with three streams, and no other open file."""
    program = find(command.argv[0])
    actions = [
        *((os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(streams)),
        *((os.POSIX_SPAWN_CLOSE, one) for one in _inheritable()),
    ]
    with _in_root_folder():
        return os.posix_spawn(
            program,
            command.argv,
            {**ENVIRONMENT, **command.environment},
            file_actions=actions,
            setsid=True,
            setsigdef=_IGNORED_BY_PYTHON,
        )


@contextmanager
def _in_root_folder() -> Iterator[None]:
    """Change to the root folder while a program is started, since it inherits our folder.

    If only others may search our folder, there is no way back to it: then we stay.
    """
    here = -1
    with suppress(OSError):
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if here >= 0:
            os.chdir("/")
        yield
    finally:
        if here >= 0:
            os.fchdir(here)
            os.close(here)


def _inheritable() -> Iterator[int]:
    """The open descriptors, besides the standard streams, that a program would inherit."""
    numbers: Iterable[int] = range(_MANY)
    with suppress(OSError):
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - no Path here
    for one in numbers:
        with suppress(OSError):  # closed meanwhile
            if one > _STDERR and os.get_inheritable(one):
                yield one


def _written(sink: int, data: memoryview) -> int:
    """Write some data to a program; returns its size, or all of it if the program reads no more."""
    try:
        return os.write(sink, data)
    except BrokenPipeError:
        return len(data)


def _left(until: float) -> float:
    """The remaining seconds. Raises TimeoutError."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _close(ends: list[int]) -> None:
    while ends:
        os.close(ends.pop())


def find(program: str) -> str:
    """The absolute path of a program, searched on `PATH` only, never on the caller's.

    Raises:
        FileNotFoundError: It is not there, or may not be executed.
    """
    if "/" in program:
        return program
    for folder in PATH.split(":"):
        candidate = f"{folder}/{program}"
        if os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError(program)


def installed(program: str) -> bool:
    """Whether a program can be found, and may be executed by us."""
    try:
        return os.access(find(program), os.X_OK)
    except FileNotFoundError:
        return False
