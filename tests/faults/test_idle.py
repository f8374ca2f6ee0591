"""A run with nothing to do, killed at its system calls: the next run finds all as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.judging import places
from tests.faults.scenes import both_targets, file_target
from tests.support.sampling import sample, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.faults.harness import Place
    from tests.faults.stage import Stage

pytestmark = pytest.mark.slow

MOST = 8  # kills for each kind of target in a sample


def idle(stage: Stage, targets: Callable[[Stage], Sequence[object]]) -> tuple[str, ...]:
    """Two runs, after which the next has nothing to do; the words of that one."""
    argv = ("apply", "--config", str(stage.here.path))
    stage.here.targets = list(targets(stage))
    stage.here.write()
    stage.warm.up(*stage.argv())
    for _ in range(2):
        done = stage.warm.run(*argv)
        assert done.code == 0, done
    stage.keep()
    return argv


def are_whole(stage: Stage, place: Place) -> None:
    """The metrics, where there are any, are those of one run or of the next."""
    if "metrics" in stage.here.more:
        written = (stage.here.folder / "allowsync.prom").read_text()
        assert written.startswith("# HELP allowsync_info "), place
        assert written.rpartition(" ")[0].endswith(
            'refused_removals{allowlist="web",target="web/file"}'
        )


def deaths(calls: Sequence[Place]) -> Iterator[tuple[Place, str]]:
    for place in places(calls, state_every=2):
        for whom in ("all", "program", "child") if place.process else ("all",):
            yield place, whom


def kill_everywhere(stage: Stage, targets: Callable[[Stage], Sequence[object]]) -> None:
    argv = idle(stage, targets)
    before = stage.look()
    listed = stage.warm.listed(*argv)
    assert (listed.code, listed.out, listed.err) == (0, "", "")
    memory, leftovers, history = stage.memory(), stage.leftovers(), stage.history()
    kills = 0
    for place, whom in sample(deaths(listed.calls), MOST):
        stage.put_back()
        ran = stage.warm.killed(place, whom, *argv)
        kills += bool(ran.hit)
        assert stage.look() == before, f"an idle run changed something: {whom} at {place}"
        # A listing that was killed leaves its target alone, and the run says so; where the process
        # that asks was killed, no host is known to be anywhere.
        codes = (0, 1, 3, -9) if whom == "child" else (0, -9)
        assert ran.code in codes, f"{whom} at {place}: {ran}"
        are_whole(stage, place)
        done = stage.warm.run(*argv)
        assert (done.code, done.out, done.err) == (0, "", ""), place
        assert stage.look() == before, place
        assert stage.memory() == memory, place
        assert stage.leftovers() == leftovers, place
        assert stage.history() == history, place
        assert not list(stage.here.folder.glob(".*.new")), place
    # Some calls are made once more, or less, where an answer took longer.
    assert kills > share(20, 4)
    record("crash_points", where="a run with nothing to do", kills=kills)


def test_an_idle_run_on_a_file_can_be_killed_anywhere(stage: Stage) -> None:
    kill_everywhere(stage, file_target)


@pytest.mark.root
def test_an_idle_run_on_a_gate_can_be_killed_anywhere(guarded: Stage) -> None:
    kill_everywhere(guarded, both_targets)


def test_an_idle_run_that_writes_metrics_can_be_killed_anywhere(stage: Stage) -> None:
    stage.here.more["metrics"] = str(stage.here.folder / "allowsync.prom")
    kill_everywhere(stage, file_target)
