"""Two runs never overlap."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from allowsync.model.target import installation_of
from allowsync.state import Busy, Lock, StateUnwritable
from allowsync.state.lock import (
    forget_configuration,
    installations,
    is_gone,
    note_configuration,
    state_before,
)

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


@pytest.mark.parametrize("shares", [False, True], ids=["by itself", "shared"])
def test_only_a_child_that_it_is_shared_with_goes_on_to_hold_it(
    tmp_path: Path, *, shares: bool
) -> None:
    """One of a backend may outlive the run; what puts an unconfirmed run back goes on for it."""
    state = tmp_path / "state.db"
    waits, begun = os.pipe()
    with Lock(state) as lock:
        with lock.shared() if shares else nullcontext():
            child = os.fork()
        if child == 0:
            os.write(begun, b"1")
            signal.pause()
            os._exit(0)
        assert os.read(waits, 1) == b"1"
    try:
        with pytest.raises(Busy) if shares else nullcontext(), Lock(state):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(waits)
        os.close(begun)
    with Lock(state):
        pass


def test_a_link_in_the_way_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "state.db.lock").symlink_to(victim)
    with pytest.raises(StateUnwritable), Lock(tmp_path / "state.db"):
        pass
    assert not victim.exists()


def test_a_lock_names_the_configuration_under_each_name_it_has_had(tmp_path: Path) -> None:
    state, names = tmp_path / "state.db", [tmp_path / f"{number}.yaml" for number in range(12)]
    for name in names:
        with Lock(state, name):
            pass
    marks = {installation_of(os.fsencode(name)) for name in names}
    known = installations(state)
    assert known < marks
    assert installation_of(os.fsencode(names[-1])) in known
    assert len(known) == 8
    assert installations(tmp_path / "none.db") == frozenset()


def test_a_name_that_another_configuration_has_by_now_is_that_ones(tmp_path: Path) -> None:
    state, one, two = (tmp_path / name for name in ("state.db", "one.yaml", "two.yaml"))
    for name in (one, two):
        with Lock(state, name):
            pass
    two.touch()
    mark, now = (installation_of(os.fsencode(name)) for name in (one, two))
    assert installations(state) == {mark, now}
    one.touch()
    assert installations(state) == {now}
    one.unlink()
    one.symlink_to(two)
    assert installations(state) == {mark, now}


def test_until_a_restart_it_is_known_what_a_mark_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    mark = installation_of(os.fsencode(one))
    assert not is_gone(mark)
    note_configuration(one, tmp_path / "state.db")
    assert is_gone(mark)
    one.touch()
    assert not is_gone(mark)
    assert state_before(one, tmp_path / "state.db") == ""
    assert state_before(two, tmp_path / "state.db") == ""
    assert state_before(one, tmp_path / "new.db") == f"{tmp_path}/state.db"
    note_configuration(one, tmp_path / "new.db")
    assert state_before(one, tmp_path / "new.db") == ""
    # What was not noted of that very path tells nothing.
    (tmp_path / "run" / f"{installation_of(b'/two')}.configuration").symlink_to("/state\n/three")
    assert not is_gone(installation_of(b"/two"))
    forget_configuration(one)
    one.unlink()
    assert not is_gone(mark)


@pytest.mark.parametrize(
    ("configuration", "named"),
    [("/dev/shm/a.yaml", 1), ("/dev/fd/63", 0), ("/dev/stdin", 0), ("/proc/self/fd/3", 0)],
)
def test_a_lock_names_no_configuration_that_is_what_a_process_has_open(
    tmp_path: Path, configuration: str, named: int
) -> None:
    with Lock(tmp_path / "state.db", Path(configuration)):
        pass
    assert len(installations(tmp_path / "state.db")) == named
