"""How bad it is, and the exit code: broken, using last known addresses, or locked out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.inspect.status import ScheduleFacts
from allowsync.inspect.status_problems import exit_code, locked_out, problems
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace
from allowsync.state.records import RecordedRun
from tests.support.page import NOW, standing, well

RUN = RecordedRun(NOW - timedelta(minutes=5), 0, 0.2)
STOPPED = ScheduleFacts("systemd", trouble="allowsync.timer is disabled: no run starts")


def test_a_status_without_fault_has_no_problem() -> None:
    fine = replace(well(), latest=RUN, schedule=ScheduleFacts("cron"))
    assert (problems(fine), exit_code(fine)) == ([], ExitCode.IN_STEP)


@pytest.mark.parametrize(
    ("changed", "where", "what"),
    [
        ({"latest": replace(RUN, exit_code=1)}, "runs", "the last one failed (exit code 1)"),
        ({"schedule": STOPPED}, "schedule", "allowsync.timer is disabled: no run starts"),
        ({"findings": (Notice("nginx", "no include"),)}, "nginx", "no include"),
        ({"last_run": NOW - timedelta(hours=4)}, "runs", "the last one was 4 h ago"),
    ],
)
def test_what_is_broken_fails(changed: dict[str, object], where: str, what: str) -> None:
    (problem,) = problems(found := replace(well(), **changed))
    assert (problem.where, problem.broken) == (where, True)
    assert problem.what.startswith(what)
    assert exit_code(found) is ExitCode.FAILED


def test_an_open_target_is_wrong_though_it_is_in_sync() -> None:
    (target,) = well().targets
    opened = replace(target, openings=("port 443/tcp is open to everyone",))
    assert (opened.state, opened.in_step, opened.well) == ("open", True, False)
    found = replace(well(), targets=(opened,))
    assert [one.what for one in problems(found)] == ["port 443/tcp is open to everyone"]
    assert exit_code(found) is ExitCode.FAILED


def test_runs_that_are_meant_to_be_rare_are_not_missed() -> None:
    rare = ScheduleFacts("cron", interval=timedelta(hours=12))
    late = replace(well(), last_run=NOW - timedelta(hours=13), schedule=rare)
    assert problems(late) == []
    assert problems(replace(late, last_run=NOW - timedelta(hours=25))) != []


def test_that_no_schedule_is_installed_is_no_error() -> None:
    assert problems(replace(well(), schedule=ScheduleFacts(trouble="none"))) == []


def test_errors_come_before_warnings() -> None:
    told = problems(replace(standing(), findings=(Notice("late", "finding"),)))
    assert [one.broken for one in told] == sorted((one.broken for one in told), reverse=True)
    assert told[1].where == "late"


def test_a_host_of_which_nothing_is_known_is_locked_out() -> None:
    assert locked_out(standing()) == ("carol",)
    assert locked_out(replace(standing(), unclear=frozenset({"carol"}))) == ()
