"""The benchmarks judge rightly, do what they say, and write down what they saw."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench.__main__ import run
from tests.bench.idle import PLAIN, THEIR_RULES, THEIR_SET
from tests.bench.measure import Result, measure
from tests.bench.place import place
from tests.bench.plain_script import __file__ as plain_script
from tests.bench.report import document, lines
from tests.bench.scenario import OURS, Figure, Scenario, at_least, at_most, faster, less
from tests.bench.table import ALL
from tests.bench.whole import nft_calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.bench.scenario import Goal, Sample, Sides

ROOT = Path(__file__).parents[2]


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def nothing() -> Iterator[Sides]:
    yield {OURS: lambda: {Figure.WALL: 1.0}}


def broken() -> AbstractContextManager[Sides]:
    raise RuntimeError("no such thing")


def scenario(*goals: Goal, runs: int = 1) -> Scenario:
    return Scenario("some-thing", "some thing", nothing, goals, runs=runs)


def judged(goal: Goal, ours: list[float], theirs: list[float]) -> tuple[float, bool]:
    samples: dict[str, list[Sample]] = {
        OURS: [{goal.figure: one} for one in ours],
        "theirs": [{goal.figure: one} for one in theirs],
    }
    (verdict,) = Result(scenario(goal), samples).verdicts
    return verdict.value, verdict.met


def test_a_ratio_is_the_median_over_pairs_not_of_medians() -> None:
    goal = at_most(Figure.WALL, 1.5, "theirs")
    assert judged(goal, [1, 8, 9], [4, 1, 9]) == (1.0, True)  # 0.25, 8 and 1; the medians give 2


def test_a_limit_itself_is_met_unless_less_was_asked() -> None:
    assert judged(at_most(Figure.WALL, 2, "theirs"), [2], [1]) == (2.0, True)
    assert judged(less(Figure.WALL, 2, "theirs"), [2], [1]) == (2.0, False)
    assert judged(at_most(Figure.WALL, 2, "theirs"), [3], [1]) == (3.0, False)


def test_faster_counts_how_often_ours_fits_into_theirs() -> None:
    assert judged(faster(45, "theirs"), [1], [50]) == (50.0, True)
    assert judged(faster(45, "theirs"), [1], [44]) == (44.0, False)


def test_an_absolute_goal_is_in_the_unit_that_is_shown() -> None:
    assert judged(at_most(Figure.WALL, 500), [0.1, 0.25, 9], []) == (250.0, True)
    assert judged(at_most(Figure.MEMORY, 36), [40 << 20], []) == (40.0, False)


def test_of_a_count_the_worst_run_is_judged() -> None:
    assert judged(at_most(Figure.WRONG, 0), [0, 0, 1], []) == (1.0, False)
    assert judged(at_least(Figure.READS, 1), [0, 1, 1], []) == (0.0, False)


def test_sides_take_turns_after_one_round_for_nothing() -> None:
    order: list[str] = []

    @contextmanager
    def sides() -> Iterator[Sides]:
        def side(name: str) -> dict[Figure, float]:
            order.append(name)
            return {Figure.WALL: float(len(order))}

        yield {OURS: lambda: side("a"), "theirs": lambda: side("b")}

    result = measure(Scenario("x", "x", sides, (), runs=2))
    assert order == ["a", "b"] * 3
    assert result.values(OURS, Figure.WALL) == [3.0, 5.0]


def test_names_are_unique_and_a_group_is_what_stands_before_a_hyphen() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    assert [one.name for one in ALL if one.belongs("resolve-10")] == ["resolve-10"]
    assert {one.name for one in ALL if one.belongs("nft-load")} == {
        "nft-load-10000",
        "nft-load-100000",
    }


def test_a_goal_against_a_side_that_is_not_run_breaks_the_scenario() -> None:
    result = run(scenario(at_most(Figure.WALL, 1, "nobody")), 1)
    assert "nobody" in result.broken
    assert not result.samples


def test_the_readme_tells_of_every_scenario() -> None:
    readme = (ROOT / "tests/bench/README.md").read_text()
    for one in ALL:
        assert f"`{one.name}`" in readme


def test_a_scenario_that_cannot_be_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = measure(Scenario("x", "x", broken, (), root=True))
    assert list(lines(result))[1:] == ["  not run: needs root, for a network namespace of its own"]
    missing = measure(Scenario("x", "x", broken, (), programs=("no-such-program",)))
    assert missing.skipped == "needs no-such-program"


def test_what_breaks_is_told_and_is_no_measurement() -> None:
    result = run(Scenario("x", "x", broken, (at_most(Figure.WALL, 1),)), 1)
    (written,) = document([result])["scenarios"]
    assert written["broken"] == "RuntimeError: no such thing"
    assert written["goals"] == []


def test_a_scenario_nobody_knows_is_an_error() -> None:
    done = bench("--only", "no-such-scenario")
    assert done.returncode == 2
    assert "no-such-scenario" in done.stderr


def test_a_quick_run_writes_every_field(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bench.json"
    done = bench("--quick", "--only", "resolve-10", "--only", "resolve-dead", "--json", path)
    assert done.returncode == 0, done.stderr
    written = json.loads(path.read_text())
    assert written["schema"] == "allowsync.bench/1"
    assert set(written["machine"]) == {"python", "kernel", "processors", "load"}
    ten, dead = written["scenarios"]
    assert (ten["name"], dead["name"]) == ("resolve-10", "resolve-dead")
    assert set(ten["sides"]) == {OURS, "one round trip", "one after the other"}
    expect_summary(ten["sides"][OURS]["wall"])
    assert ten["sides"][OURS]["wrong"]["max"] == 0
    assert ten["goals"][0].keys() == {
        "figure", "comparison", "limit", "unit", "against", "then", "value", "met",
    }  # fmt: skip
    assert dead["goals"][0]["limit"] == 500
    assert "resolve 10 hosts" in done.stdout


def expect_summary(summary: dict[str, Any]) -> None:
    assert len(summary["values"]) == 2
    assert 0 < summary["min"] <= summary["median"] <= summary["max"]


def test_calls_of_nft_are_told_apart(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text(
        '1 execve("/venv/bin/allowsync", ["allowsync", "apply"], 0x7f /* 3 vars */) = 0\n'
        '2 execve("/usr/local/sbin/nft", ["nft", "-f", "-"], 0x7f) = -1 ENOENT (No such file)\n'
        '2 execve("/usr/sbin/nft", ["nft", "-j", "list", "table"], 0x7f /* 2 vars */) = 0\n'
        '3 execve("/usr/sbin/nft", ["nft", "-f", "-"], 0x7f /* 2 vars */ <unfinished ...>\n'
        "3 <... execve resumed>)             = 0\n"
        '4 execve("/usr/sbin/nft", ["nft", "delete", "table", "x"], 0x7f /* 2 vars */) = 0\n'
    )
    assert nft_calls(trace) == {Figure.READS: 1, Figure.WRITES: 2}


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_the_plain_script_does_what_people_need() -> None:
    with place(0.0) as here:
        here.namespace.nft(THEIR_RULES)
        hosts, known = here.folder / "hosts", here.folder / "known"
        command = (here.python, plain_script, str(hosts), str(known), THEIR_SET)
        hosts.write_text("host1.example.org\nhost2.example.org\n")
        here.cost(*command)
        hosts.write_text("host2.example.org\nhost3.example.org\n")
        here.cost(*command)
        held = here.namespace.command("nft", "list", "set", *THEIR_SET.split())
        assert "{ 81.0.0.2, 81.0.0.3 }" in held


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_a_program_that_fails_or_speaks_is_not_measured() -> None:
    with place(0.0) as here:
        assert here.cost(here.python, "-c", "pass")[Figure.MEMORY] > 1 << 20
        with pytest.raises(RuntimeError, match="ended with 3"):
            here.cost(here.python, "-c", "raise SystemExit(3)")
        with pytest.raises(RuntimeError, match="spoken"):
            here.cost(here.python, "-c", "print('spoken')")


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_an_idle_run_is_measured_beside_the_plain_script(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    done = bench("--only", "idle", "--runs", "1", "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    idle, watched = json.loads(path.read_text())["scenarios"]
    assert (idle["broken"], watched["broken"]) == (None, None)
    assert set(idle["sides"][OURS]) == {"wall", "processor", "memory"}
    ratio = idle["sides"][OURS]["wall"]["values"][0] / idle["sides"][PLAIN]["wall"]["values"][0]
    assert idle["goals"][0]["value"] == ratio
