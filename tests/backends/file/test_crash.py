"""Killed at every system call that changes something: the file is the old or the new one."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.file import TYPE, FileOptions

from allowsync.model.target import Placement
from tests.support.crash_points import killed, points
from tests.support.gates import planned
from tests.support.sampling import sample, share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend

CHANGING = ("renameat", "linkat", "unlinkat", "fchmod", "fsync", "write", "vfork", "wait4")
OLD, NEW = "81.2.69.1/32", "81.2.69.2/32"
MOST = 7  # kills in a sample

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


def kills(code: str, folder: Path) -> Iterator[Path]:
    """Files that a program was changing when it was killed, one for each place to be killed at."""
    for point in sample(points(CHANGING, code, begun(folder, "undisturbed"), NEW), MOST):
        path = begun(folder, "".join(map(str, point)))
        if killed(point, code, path, NEW):  # it may wait less often than before
            yield path


def begun(folder: Path, name: str) -> Path:
    """A file in a folder of its own, as it is before."""
    path = folder / name / "friends"
    path.parent.mkdir()
    change(path, OLD)
    return path


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
    assert len(found) >= share(10, MOST - 1)


@pytest.mark.slow
def test_a_clear_killed_anywhere_can_be_done_again(tmp_path: Path) -> None:
    places = 0
    for path in kills(CLEAR, tmp_path):
        target(path).clear()
        assert list(path.parent.iterdir()) == []
        places += 1
    assert places >= 6
