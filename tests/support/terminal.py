"""A program on a terminal of its own: a pseudo-terminal that controls its session."""

from __future__ import annotations

import os
import select
import subprocess
import termios
import time
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING

from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.support.netns import Namespace

PATIENCE = 60.0  # seconds; a busy machine


class Terminal:
    """`allowsync` on a terminal, inside a network namespace where one is given."""

    def __init__(
        self,
        *arguments: str | Path,
        inside: Namespace | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        # setsid(1) lets the terminal control the new session, as a login does.
        argv = ["setsid", "--ctty", str(EXECUTABLE), *map(str, arguments)]
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "dumb"}

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                argv, stdin=theirs, stdout=theirs, stderr=theirs, env={**env, **(environ or {})}
            )

        self.process = start() if inside is None else inside.run(start)
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)

    def until(self, text: str) -> str:
        """Read until a text has been shown. Returns everything since the last call."""
        ends = time.monotonic() + PATIENCE
        while text not in self.shown:
            left = ends - time.monotonic()
            assert left > 0, f"{text!r} never came; shown: {self.shown!r}"
            if select.select([self._ours], [], [], left)[0]:
                piece = self._read()
                assert piece, f"it ended before {text!r}; shown: {self.shown!r}"
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def type(self, text: str) -> None:
        """Type something; a line ends with a newline."""
        os.write(self._ours, text.encode())

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def end(self) -> int:
        """Wait for the end of the program. Returns its exit code; the rest is in `shown`."""
        ends = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < ends
        return self.process.wait(PATIENCE)

    def _read(self) -> str:
        try:
            piece = os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # EIO: nobody has the other end any more
            return ""
        self.shown += piece.replace("\r\n", "\n")
        return piece


def eventually(claim: Callable[[], bool], every: float = 0.02) -> bool:
    """Whether something becomes true before patience runs out; looked at every so many seconds."""
    ends = time.monotonic() + PATIENCE
    while not claim():
        if time.monotonic() > ends:
            return False
        time.sleep(every)
    return True


@contextmanager
def output_on_terminal(columns: int) -> Iterator[None]:
    """Let the standard output of this process be a terminal of that width."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal, redirect_stdout(terminal):
        yield
