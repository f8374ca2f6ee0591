"""The copy of the state that `--confirm` makes: whole or not there, killed wherever one will."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from allowsync.engine.rollback.snapshot import copy_of, keep_state, recover
from allowsync.state import Store
from tests.support.values import T0

if TYPE_CHECKING:
    from pathlib import Path

WEB = "web/nftables"
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink")
MOST = 5  # of one kind
DO = """
import sys
from pathlib import Path
from allowsync.engine.rollback import snapshot
getattr(snapshot, sys.argv[1])(Path(sys.argv[2]))
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "lib" / "state.db"
    with Store.writing(path) as store:
        store.set_unconfirmed(["old/nftables"], T0)
    return path


def killed(state: Path, step: str, call: str, number: int) -> bool:
    """Kill a step at one of its calls of a kind. Whether it came that far."""
    argv = ("strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:signal=KILL:error=EIO:when={number}")  # fmt: skip
    done = subprocess.run([*argv, sys.executable, "-Bc", DO, step, str(state)], check=False)
    assert done.returncode in (0, -9, 137)
    return done.returncode != 0


def unconfirmed(state: Path) -> set[str]:
    with Store.reading(state) as store:
        return set(store.unconfirmed())


@pytest.mark.slow
def test_a_kill_while_copying_loses_nothing(state: Path) -> None:
    kills = 0
    for call in CALLS:
        for number in range(1, MOST):
            if not killed(state, "keep_state", call, number):
                recover(state)
                break
            kills += 1
            assert unconfirmed(state) == {"old/nftables"}, (call, number)
            recover(state)
            assert not copy_of(state).exists()
            assert unconfirmed(state) == {"old/nftables"}, (call, number)
    assert kills > 4


@pytest.mark.slow
def test_a_kill_while_going_back_forgets_no_change_that_waits(state: Path) -> None:
    kills = 0
    for call in CALLS:
        for number in range(1, MOST):
            keep_state(state)
            with Store.writing(state) as store:
                store.set_unconfirmed([WEB], T0)
                store.set_confirmed(["old/nftables"])
            survived = not killed(state, "recover", call, number)
            if copy_of(state).exists():
                recover(state)
            assert unconfirmed(state) == {WEB, "old/nftables"}, (call, number)
            with Store.writing(state) as store:
                store.set_confirmed([WEB])
            if survived:
                break
            kills += 1
    assert kills > 6


@pytest.mark.parametrize("how", ["empty", "half", "garbage", "a link", "a folder"])
def test_a_copy_that_is_not_whole_is_not_believed(state: Path, how: str) -> None:
    copy, whole = copy_of(state), state.read_bytes()
    if how == "a link":
        copy.symlink_to(state)
    elif how == "a folder":
        copy.mkdir()
    else:
        copy.write_bytes(
            {"empty": b"", "half": whole[: len(whole) // 2], "garbage": b"x" * 4096}[how]
        )
    with Store.writing(state) as store:
        store.set_unconfirmed([WEB], T0)
    if how != "a folder":
        recover(state)
        assert not copy.exists()
    assert unconfirmed(state) == {WEB, "old/nftables"}
