"""Two runs never overlap."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from allowsync.state import Busy, Lock, StateUnwritable

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from allowsync.state import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_turned_away_and_the_next_is_let_in(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with Lock(state), pytest.raises(Busy) as busy, Lock(state):
        pass
    assert busy.value.path == tmp_path / "state.db.lock"
    with Lock(state):
        pass


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    command = [sys.executable, "-c", HOLD, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Busy), Lock(state):
            pass
        other.kill()
        other.wait()
    with Lock(state):
        pass


def test_a_link_in_the_way_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "state.db.lock").symlink_to(victim)
    with pytest.raises(StateUnwritable), Lock(tmp_path / "state.db"):
        pass
    assert not victim.exists()
