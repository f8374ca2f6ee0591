"""How a run came out, and which of several outcomes counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from allowsync.model.outcome import ExitCode, Notice, Outcome, worst
from allowsync.model.plan import Plan
from allowsync.plan.limits import LimitRefusal
from allowsync.plan.result import RunReport, TargetReport
from allowsync.report.text import run_lines, warnings
from tests.support.values import HOME, MOVED, SERVFAIL, T0, Life, entry, found, host

if TYPE_CHECKING:
    from allowsync.model.answer import Answer
    from allowsync.model.types import Host


def target(outcome: Outcome = Outcome.UNCHANGED, **fields: object) -> TargetReport:
    return TargetReport("web/memory", "web", outcome, **fields)  # type: ignore[arg-type]


def report(*targets: TargetReport, offline: bool = False, silent: bool = False) -> RunReport:
    life = Life(host())
    life.run(found(HOME))
    if silent:
        life.run(SERVFAIL)
    return RunReport(T0, 0.1, False, offline, {"alice": life.decision}, targets)


REFUSAL = LimitRefusal(("alice",), 1, 4, emptied=False, entries=(entry(HOME, "alice"),))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 0), ((0, 3), 3), ((3, 4), 4), ((4, 1), 1), ((1, 5), 5), ((5, 2), 2), ((10, 0), 10),
        ((10, 3), 3), ((10, 4, 1, 5, 2, 3, 0), 2),
    ],
)  # fmt: skip
def test_the_worst_exit_code_wins(codes: tuple[int, ...], expected: int) -> None:
    assert worst(ExitCode(code) for code in codes) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (target(), 0),
        (target(Outcome.APPLIED), 0),
        (target(Outcome.PLANNED), 0),
        (target(Outcome.FAILED), 1),
        (target(Outcome.UNKNOWN), 1),
        (target(Outcome.APPLIED, unfit=(entry("2a01::/64"),)), 1),
        (target(Outcome.REFUSED, refusal=REFUSAL), 4),
    ],
)
def test_each_outcome_has_its_exit_code(one: TargetReport, expected: int) -> None:
    assert report(one).exit_code == expected


def test_old_knowledge_is_told_unless_nobody_asked() -> None:
    assert report(silent=True).exit_code is ExitCode.OLD_KNOWLEDGE
    assert report(silent=True, offline=True).exit_code is ExitCode.IN_STEP


def test_knowing_nothing_is_told_even_offline() -> None:
    nobody = RunReport(T0, 0.1, False, True, {"alice": Life(host()).run()}, ())
    assert nobody.exit_code is ExitCode.OLD_KNOWLEDGE


def test_changes_are_plans_that_are_not_idle() -> None:
    assert not report(target(plan=Plan("web/memory"))).has_changes
    assert not report(target(Outcome.FAILED)).has_changes
    assert report(target(plan=Plan("web/memory", add=(entry(HOME),)))).has_changes


def test_a_target_says_all_that_is_wrong_with_it() -> None:
    both = target(reason="left alone", refusal=REFUSAL, unfit=(entry("2a01::/64"),))
    assert both.said == (
        "left alone; refused to remove alice: at most 1 of 4 hosts may lose access in one run "
        "(limits); --force applies it; cannot hold 2a01::/64"
    )
    assert target().said == ""


def test_one_host_or_one_target_is_enough_to_be_told() -> None:
    silent, heard = Life(host("bob")), Life(host())
    silent.run(found(HOME))
    silent.run(SERVFAIL)
    heard.run(found(HOME))
    both = {"alice": heard.decision, "bob": silent.decision}
    plans = (Plan("web/a"), Plan("web/b", remove=(entry(HOME),)))
    run = RunReport(T0, 0.1, False, False, both, tuple(target(plan=plan) for plan in plans))
    assert run.exit_code is ExitCode.OLD_KNOWLEDGE
    assert run.has_changes


def test_everything_that_does_not_fit_is_listed() -> None:
    assert (
        target(unfit=(entry("2a01::/64"), entry(HOME))).said == f"cannot hold 2a01::/64, {HOME}/32"
    )


def told_of(*answers: Answer, who: Host | None = None, **fields: object) -> RunReport:
    """A run over one host that got these answers, one a run, and one target in sync."""
    life = Life(who or host())
    for answer in answers:
        life.run(answer)
    target_report = target(plan=Plan("web/memory", keep=(entry(HOME, "alice"),), **fields))  # type: ignore[arg-type]
    return RunReport(life.instant, 0.1, False, False, {"alice": life.decision}, (target_report,))


HELD = (entry(HOME, "alice"),)
NOTHING_TO_SAY = (
    told_of(found(HOME)),
    told_of(found(HOME), found(HOME)),
    report(target(), target(plan=Plan("web/memory"))),
)
SOMETHING_TO_SAY = (
    told_of(SERVFAIL),
    told_of(found(HOME), SERVFAIL),
    told_of(found(HOME, "10.0.0.1")),
    told_of(found(HOME), who=host(sources=("cloudflare",))),
    told_of(found(HOME), add=(entry(MOVED, "alice"),)),
    told_of(found(HOME), remove=(entry(MOVED, "alice"),)),
    told_of(found(HOME), withheld=(entry(MOVED),)),
    told_of(found(HOME), repair=("a rule of the gate is missing",)),
    report(target(Outcome.FAILED, reason="left alone")),
    report(target(Outcome.REFUSED, refusal=REFUSAL)),
    report(target(unfit=HELD)),
    report(target(closed=True)),
    replace(told_of(found(HOME)), notices=(Notice("clock", "went backwards"),)),
)


def lines(run: RunReport) -> list[str]:
    return [one.text for one in (*run_lines(run, every_target=False), *warnings(run))]


@pytest.mark.parametrize("run", NOTHING_TO_SAY)
def test_a_run_of_which_nothing_is_said_is_known_as_one(run: RunReport) -> None:
    assert run.uneventful
    assert lines(run) == []


@pytest.mark.parametrize("run", SOMETHING_TO_SAY)
def test_whatever_there_is_to_say_of_a_run_is_an_event(run: RunReport) -> None:
    assert lines(run)
    assert not run.uneventful
