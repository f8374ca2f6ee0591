"""System calls at which a program of its own is killed, or let down, while it changes something."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIGKILL = 9

Point = tuple[str, int]  # a kind of call, and which of that kind


def points(kinds: Sequence[str], code: str, *arguments: str | Path) -> list[Point]:
    """The calls of some kinds that a program makes; it runs undisturbed.

    The last comes first, so that a sample has it: all is changed by then.
    """
    with NamedTemporaryFile("r") as log:
        done = _traced(("-e", f"trace={','.join(kinds)}", "-o", log.name), code, *arguments)
        assert done.returncode == 0, done.stderr
        called = [line.partition("(")[0] for line in log]
    met: Counter[str] = Counter()
    found = []
    for kind in filter(kinds.__contains__, called):
        met[kind] += 1
        found.append((kind, met[kind]))
    return found[::-1]


def killed(point: Point, code: str, *arguments: str | Path) -> bool:
    """Run a program that is killed right after a call; whether it came that far."""
    done = _traced((*_injecting(point, "signal=KILL"), "-o", "/dev/null"), code, *arguments)
    assert done.returncode in (0, -SIGKILL, 128 + SIGKILL), done.stderr
    return done.returncode != 0


def let_down(point: Point, code: str, *arguments: str | Path) -> tuple[bool, str]:
    """Run a program of which a call fails; whether it came that far, and what it said."""
    with NamedTemporaryFile("r") as log:
        options = (*_injecting(point, "error=ENOSPC"), "-o", log.name)
        done = _traced(options, code, *arguments)
        return "INJECTED" in log.read(), done.stderr


def _injecting(point: Point, what: str) -> Sequence[str]:
    kind, number = point
    return "-e", f"trace={kind}", "-e", f"inject={kind}:{what}:when={number}"


def _traced(
    options: Sequence[str], code: str, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    argv = ("strace", "-qq", *options, sys.executable, "-c", code, *map(str, arguments))
    return subprocess.run(argv, capture_output=True, text=True, check=False)
