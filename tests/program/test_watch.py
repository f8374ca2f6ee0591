"""`status --watch`: drawn, kept current, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import re
import signal
import termios
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.schedule.files import INSTALL
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from tests.support.program import Installation

DRAWN = {"TERM": "xterm"}
ROW_ENDS = re.compile(r"\x1b\[\d*[mK]|\r\n")
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


def modes(terminal: Terminal) -> list[Any]:
    return termios.tcgetattr(terminal._ours)


@pytest.fixture
def ready(here: Installation) -> Installation:
    assert here("apply").code == 0
    here.freeze = True
    return here


@pytest.mark.parametrize("ended", ["q", "\x03", "signal"])
def test_it_is_drawn_kept_current_and_leaves_the_terminal_as_it_was(
    ready: Installation, ended: str
) -> None:
    with Terminal("status", "--watch", "--config", ready.path, environ=DRAWN) as terminal:
        before = modes(terminal)
        drawn = terminal.until("last run ")
        assert ENTERED in drawn
        assert "web/file is in sync" in drawn
        assert "r: now, q: end" in drawn
        assert modes(terminal) != before
        ready.file.unlink()
        terminal.type("r")
        assert "web/file: out of sync:" in terminal.until("last run ")
        if ended == "signal":
            os.kill(terminal.process.pid, signal.SIGTERM)
        else:
            terminal.type(ended)
        terminal.until(LEFT)
        after = modes(terminal)
        assert terminal.end() == (143 if ended == "signal" else 1)
        assert after == before


def test_what_does_not_fit_is_counted(ready: Installation) -> None:
    with Terminal("status", "--watch", "--config", ready.path, environ=DRAWN) as terminal:
        terminal.until("last run ")
        termios.tcsetwinsize(terminal._ours, (6, 30))
        drawn = terminal.until(" more lines")
        assert drawn.rpartition("\x1b[H")[2].count("\n") == 5
        terminal.type("q")
        assert terminal.end() == 0


def test_on_a_narrow_terminal_no_word_is_cut(ready: Installation) -> None:
    with Terminal("status", "--watch", "--config", ready.path, environ=DRAWN) as terminal:
        terminal.until("last run ")
        termios.tcsetwinsize(terminal._ours, (40, 27))
        said, rows = f"no schedule is installed; {INSTALL}", [" " * 80]
        while max(map(len, rows)) > 27:
            drawn = terminal.until("\x1b[J").rpartition("\x1b[H")[2].removesuffix("\x1b[J")
            rows = ROW_ENDS.sub("\n", drawn).splitlines()
        assert said in " ".join(" ".join(rows).split())
        terminal.type("q")
        assert terminal.end() == 0


def test_a_configuration_that_is_broken_meanwhile_is_told(ready: Installation) -> None:
    with Terminal("status", "--watch", "--config", ready.path, environ=DRAWN) as terminal:
        terminal.until("last run ")
        termios.tcsetwinsize(terminal._ours, (24, 40))  # narrower than the path and the message
        ready.path.write_text("hosts: [")
        terminal.type("r")
        drawn = ""
        while f"{ready.path}:1:notvalidYAML" not in "".join(ROW_ENDS.sub("", drawn).split()):
            drawn += terminal.until("\x1b[J")
        terminal.type("q")
        assert terminal.end() == 2


def test_without_a_terminal_it_is_refused(ready: Installation) -> None:
    done = ready("status --watch")
    assert (done.code, "--watch needs a terminal" in done.err) == (2, True)
    done = ready("status --watch --output json")
    assert (done.code, "--watch excludes" in done.document["problems"][0]["what"]) == (2, True)
    with Terminal("status", "--watch", "--config", ready.path) as terminal:  # TERM=dumb
        assert terminal.end() == 2
        assert ENTERED not in terminal.shown
