"""What a run adds to the history: whose access began, whose ended and why, how targets came out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allowsync.engine.history import began, ended, settled, turns
from allowsync.model.memory import Inherited
from allowsync.model.outcome import Outcome
from allowsync.model.plan import Plan
from allowsync.plan.limits import LimitRefusal
from allowsync.plan.reasons import Reasons
from allowsync.plan.result import TargetReport
from allowsync.state.records import AccessEnd, AccessStart, TargetTransition
from tests.support.values import HOME, MOVED, NAME, T0, Life, entry, found, host, net


def at_home() -> Life:
    life = Life(host())
    life.run(found(HOME))
    return life


def test_access_begins_with_the_name_that_gave_it() -> None:
    life = at_home()
    assert list(began({"alice": life.decision}, {})) == [AccessStart("alice", net(HOME), NAME)]


def test_what_is_written_down_begins_once() -> None:
    decisions = {"alice": at_home().decision}
    known = {"alice": {f"{HOME}/32"}}
    assert list(began(decisions, known)) == []
    assert list(ended(decisions, known, {"alice"}, Reasons(decisions, T0).lost)) == []


def test_access_ends_for_the_reason_its_entry_goes() -> None:
    life = at_home()
    for _ in range(5):
        life.run(found(MOVED))
    decisions = {"alice": life.decision}
    known = {"alice": {f"{HOME}/32", f"{MOVED}/32"}}
    assert list(ended(decisions, known, {"alice"}, Reasons(decisions, life.instant).lost)) == [
        AccessEnd("alice", net(HOME), f"{NAME} moved to {MOVED}")
    ]


def test_who_left_the_configuration_comes_from_nowhere() -> None:
    known = {"alice": {f"{MOVED}/32", f"{HOME}/32"}}
    why = "alice is no longer configured or granted"
    assert list(ended({}, known, set(), Reasons({}, T0).lost)) == [
        AccessEnd("alice", net(HOME), why),
        AccessEnd("alice", net(MOVED), why),
    ]


def test_what_ends_is_told_in_order() -> None:
    texts = sorted(f"81.2.69.{number}/32" for number in range(10, 20))
    known = {"alice": set(texts)}
    gone = [str(one.network) for one in ended({}, known, set(), Reasons({}, T0).lost)]
    assert gone == texts


def test_a_target_that_is_well_again_has_nothing_to_say() -> None:
    late = TargetReport("web/file", "web", Outcome.APPLIED, reason="done, but not written down")
    assert list(turns([late], T0)) == [TargetTransition(T0, "web/file", "recovered", "")]


def test_who_the_run_was_not_about_keeps_what_is_written_down() -> None:
    known = {"alice": {f"{HOME}/32"}}
    assert list(ended({}, known, {"alice"}, Reasons({}, T0).lost)) == []


WELL = TargetReport("web/file", "web", Outcome.UNCHANGED)
REPAIR = Plan("web/file", repair=("mode was 0666", "it does not exist"))


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (WELL, [("recovered", "")]),
        (replace(WELL, outcome=Outcome.APPLIED), [("recovered", "")]),
        (replace(WELL, outcome=Outcome.FAILED, reason="no"), [("failed", "no")]),
        (replace(WELL, outcome=Outcome.UNKNOWN, reason="lost"), [("unknown", "lost")]),
        (
            replace(WELL, unfit=(entry("2001:db8::/64", "bob"),)),
            [("failed", "cannot hold 2001:db8::/64")],
        ),
        (
            replace(WELL, outcome=Outcome.APPLIED, plan=REPAIR),
            [("repaired", "mode was 0666; it does not exist"), ("recovered", "")],
        ),
        (
            replace(WELL, outcome=Outcome.FAILED, plan=REPAIR, reason="no"),
            [("failed", "no")],
        ),
        (replace(WELL, outcome=Outcome.APPLIED, plan=Plan("web/file")), [("recovered", "")]),
    ],
)
def test_a_target_came_out_well_or_not(
    report: TargetReport, expected: list[tuple[str, str]]
) -> None:
    assert list(turns([report], T0)) == [TargetTransition(T0, "web/file", *one) for one in expected]


def test_a_refusal_says_what_the_limit_said() -> None:
    refusal = LimitRefusal(("alice", "bob"), 1, 4, emptied=False, entries=())
    report = replace(WELL, outcome=Outcome.REFUSED, refusal=refusal)
    assert list(turns([report], T0)) == [TargetTransition(T0, "web/file", "refused", refusal.said)]


@pytest.mark.parametrize(
    ("removed", "final", "left"),
    [
        ((), ("81.2.69.7/32", "81.2.70.0/24"), {"81.2.69.7/32", "81.2.70.8/32"}),
        (("81.2.69.7/32",), ("81.2.70.0/24",), {"81.2.70.8/32"}),
        (("81.2.70.0/24",), ("81.2.69.7/32", "81.2.70.8/32"), {"81.2.69.7/32", "81.2.70.8/32"}),
        (("81.2.70.0/24",), ("81.2.69.7/32",), {"81.2.69.7/32"}),
    ],
    ids=["nothing", "the one itself", "a wider one for it", "a wider one with it"],
)
def test_what_a_plan_removes_of_unknown_origin_is_remembered_no_more(
    removed: tuple[str, ...], final: tuple[str, ...], left: set[str]
) -> None:
    inherited = tuple(Inherited(net(one), T0) for one in ("81.2.69.7/32", "81.2.70.8/32"))
    plan = Plan(
        "web/file",
        add=(entry("81.2.71.1/32"),),
        remove=tuple(map(entry, removed)),
        withheld=tuple(map(entry, final)),
    )
    report = TargetReport("web/file", "web", Outcome.APPLIED, plan, inherited=inherited)
    ((_, known),), _, _ = settled([report], Reasons({}, T0))
    assert {str(one.network) for one in known.inherited} == left
