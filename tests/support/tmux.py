"""A terminal as people have it: tmux, with a server of its own inside a network namespace."""

from __future__ import annotations

import os
import shlex
from itertools import count
from typing import TYPE_CHECKING

from tests.support.program import EXECUTABLE
from tests.support.terminal import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.netns import Namespace

COLUMNS, ROWS = 80, 50
_NUMBERS = count()


class Tmux:
    """`allowsync` in a window of 80 columns. The window shows its exit code once it has ended."""

    def __init__(
        self,
        inside: Namespace,
        folder: Path,
        *arguments: str | Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._inside = inside
        # One for each: a server that is asked to end takes its time, and refuses another session.
        self._socket = str(folder / f"tmux{next(_NUMBERS)}")
        words = shlex.join([str(EXECUTABLE), *map(str, arguments)])
        settings = {"PATH": os.environ["PATH"], "HOME": str(folder), **(environ or {})}
        start = ["env", "-i", *(f"{key}={value}" for key, value in settings.items())]
        whole = f"{shlex.join(start)} TERM=screen {words}; echo ended with $?; sleep 600"
        self.ask("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), whole)

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ask(self, *arguments: str) -> str:
        return self._inside.command("tmux", "-S", self._socket, "-f", "/dev/null", *arguments)

    @property
    def screen(self) -> str:
        """Everything shown so far, with lines that were wrapped put together."""
        return self.ask("capture-pane", "-p", "-J", "-S", "-500")

    def until(self, text: str) -> str:
        """Wait until something is shown. Returns the screen."""
        shown = eventually(lambda: text in self.screen, every=0.15)  # each look starts a program
        assert shown, f"{text!r} never came:\n{self.screen}"
        return self.screen

    def type(self, text: str) -> None:
        """Type a line, or a key such as `C-c`."""
        if text.startswith("C-"):
            self.ask("send-keys", text)
        else:
            self.ask("send-keys", "-l", "--", text)
            self.ask("send-keys", "Enter")

    def kill(self) -> None:
        """End the session and all its terminals."""
        self._inside.run(os.system, f"tmux -S {shlex.quote(self._socket)} kill-server 2>/dev/null")
