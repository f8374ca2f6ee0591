"""A terminal screen that is redrawn until the user quits."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from typing import TYPE_CHECKING, Final, Self

from allowsync.cli.common import styled
from allowsync.report.text import filled
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType

    from allowsync.text import Line

EVERY: Final = 10.0  # seconds: reading firewalls takes part of one
_SLICE: Final = 0.5  # seconds until a resize is noticed
_NARROWEST: Final = 12  # columns: words are not folded below
_INPUT: Final = 0
_ENDS: Final = (b"q", b"Q", b"\x03", b"\x04", b"")
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
# The alternate screen and the cursor (xterm's control sequences, ECMA-48).
_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"


def obstacle() -> str:
    """The reason why the terminal cannot be drawn on; empty if it can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "--watch needs a terminal; without one: allowsync status"
    if os.environ.get("TERM", "dumb") == "dumb":
        return "--watch needs a terminal that can be drawn on (TERM); without: allowsync status"
    return ""


def watch(lines: Callable[[], Sequence[Line]], *, colour: bool) -> None:
    """Show lines, and refresh them every few seconds, until `q` or Ctrl-C.

    The terminal is restored afterwards in every case.
    """
    with Screen(colour=colour) as screen:
        try:
            while True:
                shown = lines()
                screen.draw(shown)
                if not screen.waits(shown):
                    return
        except KeyboardInterrupt:
            return


class Screen:
    """The terminal while it is drawn on."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._signal = 0

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(_INPUT)
        self._handlers = {one: signal.signal(one, self._ended) for one in _SIGNALS}
        tty.setcbreak(_INPUT)
        modes = termios.tcgetattr(_INPUT)
        modes[6][termios.VSUSP] = b"\x00"  # no Ctrl-Z: the terminal would not be restored
        termios.tcsetattr(_INPUT, termios.TCSANOW, modes)
        self._write(_ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            termios.tcflush(_INPUT, termios.TCIFLUSH)
            termios.tcsetattr(_INPUT, termios.TCSANOW, self._before)
            self._write(_LEAVE)
        except (OSError, termios.error):
            pass  # the terminal is gone
        for one, handler in self._handlers.items():
            signal.signal(one, handler)

    def draw(self, lines: Sequence[Line]) -> None:
        """Show lines from the top, as many as fit; a long one takes several rows."""
        self._judge()
        self._size = width, height = os.get_terminal_size()
        rows = [
            self._row(part, one.colour)
            for one in lines
            for part in _folded(printable(one.text), width)
        ]
        left = len(rows) - height
        if left > 0:
            rows[height - 1 :] = [f"... {left + 1} more lines"[:width]]
        self._write("\x1b[H" + "\r\n".join(f"{row}\x1b[K" for row in rows) + "\x1b[J")

    def waits(self, lines: Sequence[Line]) -> bool:
        """Wait until the next redraw. Returns whether to go on."""
        ends = time.monotonic() + EVERY
        while (left := ends - time.monotonic()) > 0:
            if select.select([_INPUT], [], [], min(left, _SLICE))[0]:
                key = os.read(_INPUT, 1)
                if key in _ENDS:
                    return False
                if key in (b"r", b" "):
                    return True
            self._judge()
            if os.get_terminal_size() != self._size:
                self.draw(lines)
        return True

    def _row(self, text: str, colour: str) -> str:
        return styled(text, colour) if self._colour else text

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _ended(self, number: int, _frame: FrameType | None) -> None:
        """End on a signal, by an exception that restores the terminal."""
        self._signal = number
        raise SystemExit(128 + number)

    def _judge(self) -> None:
        """End on a signal that came during a backend's call, which may not end the process."""
        if self._signal:
            raise SystemExit(128 + self._signal)


def _folded(text: str, width: int) -> list[str]:
    """A text in rows, folded between words: text beyond the edge is invisible."""
    if len(text) <= width or width < _NARROWEST:
        return _cut(text, width)
    left = text.lstrip()
    first = " " * (len(text) - len(left))
    rows = filled(left, first, f"{first}    ", width)
    return [part for row in rows for part in _cut(row, width)]


def _cut(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), max(width, 1))] or [""]
