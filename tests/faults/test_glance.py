"""An idle run at a glance, killed at every system call: the next run finds all as it was."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults.scenes import both_targets, file_target
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.harness import Place
    from tests.faults.stage import Stage

pytestmark = pytest.mark.slow

SAME_TIME = 0.15  # seconds, until another change of a file would show in its times


def last_run(stage: Stage) -> tuple[int, int | None]:
    """Whether the last run on record was a glance, and how it ended."""
    with closing(sqlite3.connect(stage.here.state)) as raw:
        statement = "SELECT glance, exit_code FROM runs ORDER BY id DESC LIMIT 1"
        glance, code = raw.execute(statement).fetchone()
    return glance, code


def put_back(stage: Stage, state: bytes) -> None:
    """Let the state be as it was. A glance writes nothing else, and the files it looks at stay."""
    for beside in stage.here.state.parent.iterdir():
        if beside != stage.here.state.with_name("state.db.lock"):
            beside.unlink()
    stage.here.state.write_bytes(state)
    stage.here.state.chmod(0o600)


def idle(stage: Stage, targets: Callable[[Stage], Sequence[object]]) -> tuple[str, ...]:
    """Two whole runs, after which the next can do with a glance; the words of that one."""
    argv = ("apply", "--config", str(stage.here.path))
    stage.here.targets = list(targets(stage))
    stage.here.write()
    stage.warm.up(*stage.argv())
    for _ in range(2):
        time.sleep(SAME_TIME)
        done = stage.warm.run(*argv)
        assert done.code == 0, done
    return argv


def is_in_step(stage: Stage, argv: tuple[str, ...], place: Place) -> None:
    done = stage.warm.run(*argv)
    assert (done.code, done.out, done.err) == (0, "", ""), place
    assert last_run(stage) in ((0, 0), (1, 0)), place


def are_whole(stage: Stage, place: Place) -> None:
    """The metrics, where there are any, are those of one run or of the next."""
    if "metrics" in stage.here.more:
        written = (stage.here.folder / "allowsync.prom").read_text()
        assert written.startswith("# HELP allowsync_info "), place
        assert written.rpartition(" ")[0].endswith(
            'refused_removals{allowlist="web",target="web/file"}'
        )
        assert "\x01" not in written, place


def kill_everywhere(stage: Stage, targets: Callable[[Stage], Sequence[object]]) -> None:
    argv = idle(stage, targets)
    before, state = stage.look(), stage.here.state.read_bytes()
    listed = stage.warm.listed(*argv)
    assert (listed.code, listed.out, listed.err) == (0, "", "")
    assert last_run(stage) == (1, 0), "it was a glance"
    memory, leftovers, history = stage.memory(), stage.leftovers(), stage.history()
    kills = 0
    for place in listed.calls:
        for whom in ("all", "program", "child") if place.process else ("all",):
            put_back(stage, state)
            ran = stage.warm.killed(place, whom, *argv)
            kills += bool(ran.hit)
            assert stage.look() == before, f"an idle run changed something: {whom} at {place}"
            assert ran.code in (0, -9), f"{whom} at {place}: {ran}"
            are_whole(stage, place)
            is_in_step(stage, argv, place)
            assert stage.look() == before, place
            assert stage.memory() == memory, place
            assert stage.leftovers() == leftovers, place
            assert stage.history() == history, place
            assert not list(stage.here.folder.glob(".*.new")), place
    assert kills > 20
    record("crash_points", where="an idle run at a glance", kills=kills)


def test_a_glance_at_a_file_can_be_killed_anywhere(stage: Stage) -> None:
    kill_everywhere(stage, file_target)


@pytest.mark.root
def test_a_glance_at_a_gate_can_be_killed_anywhere(guarded: Stage) -> None:
    kill_everywhere(guarded, both_targets)


def test_a_glance_that_writes_metrics_can_be_killed_anywhere(stage: Stage) -> None:
    stage.here.more["metrics"] = str(stage.here.folder / "allowsync.prom")
    kill_everywhere(stage, file_target)
