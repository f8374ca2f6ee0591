"""Killed at every system call that changes something: the file is the old or the new one."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_network
from itertools import count
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.file import TYPE, FileOptions

from allowsync.model.target import Placement
from tests.support.gates import planned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.api import Backend

CHANGING = ("renameat", "linkat", "unlinkat", "fchmod", "fsync", "write", "vfork", "wait4")
OLD, NEW = "81.2.69.1/32", "81.2.69.2/32"
SIGKILL = 9

APPLY = """
import sys
from pathlib import Path
from tests.backends.file.test_crash import change
change(Path(sys.argv[1]), sys.argv[2])
"""
CLEAR = """
import sys
from pathlib import Path
from tests.backends.file.test_crash import target
target(Path(sys.argv[1])).clear()
"""


def target(path: Path) -> Backend:
    options = FileOptions(path, reload=("/bin/true",))
    return TYPE.make(Placement("x", "x/file"), options)


def change(path: Path, wanted: str) -> None:
    """Let the file hold one network."""
    backend = target(path)
    backend.apply(planned(backend.read(), [ip_network(wanted)]))


def killed(code: str, path: Path, call: str, number: int) -> bool:
    """Run a program that is killed right after its nth call of a kind; whether it came that far."""
    injection = f"inject={call}:signal=KILL:when={number}"
    argv = ("strace", "-qq", "-e", f"trace={call}", "-e", injection, "-o", "/dev/null")
    done = subprocess.run(
        (*argv, sys.executable, "-c", code, str(path), NEW), capture_output=True, check=False
    )
    assert done.returncode in (0, -SIGKILL, 128 + SIGKILL), done.stderr.decode()
    return done.returncode != 0


def kills(code: str, folder: Path) -> Iterator[Path]:
    """Files that a program was changing when it was killed, one for each place to be killed at."""
    for call in CHANGING:
        for number in count(1):
            path = folder / f"{call}{number}" / "friends"
            path.parent.mkdir()
            change(path, OLD)
            if not killed(code, path, call, number):
                break
            yield path


@pytest.mark.slow
def test_a_change_killed_anywhere_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    whole = {}
    for wanted in (OLD, NEW):
        change(reference, wanted)
        whole[reference.read_text()] = wanted
    found = []
    for path in kills(APPLY, tmp_path):
        found.append(whole[path.read_text()])
        change(path, NEW)
        assert target(path).read().flaws == ()
        assert [one.name for one in path.parent.iterdir()] == ["friends"]
    assert {OLD, NEW} == set(found)
    assert len(found) >= 10


@pytest.mark.slow
def test_a_clear_killed_anywhere_can_be_done_again(tmp_path: Path) -> None:
    places = 0
    for path in kills(CLEAR, tmp_path):
        target(path).clear()
        assert list(path.parent.iterdir()) == []
        places += 1
    assert places >= 6
