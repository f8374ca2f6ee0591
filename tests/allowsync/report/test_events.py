"""What happened, as one list: in the order of time, and within a run from cause to effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from allowsync.report.events import HistoryEvent, events
from allowsync.state.history import AccessPeriod, Past, PastAnswer, PastChange
from allowsync.state.records import TargetTransition
from tests.support.values import AAAA, HOME, MOVED, NAME, T0, A, entry, net

HOUR = timedelta(hours=1)
WEB = "web/file"
STAY = AccessPeriod("alice", net(HOME), NAME, T0, T0 + HOUR, "gone from DNS")
ADDED = PastChange(T0, WEB, "add", entry(HOME, "alice", "bob"), "moved")


def said(past: Past) -> list[str]:
    return [one.text for one in events(past, T0)]


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ("found 81.2.69.1 81.2.69.2", "81.2.69.1, 81.2.69.2"),
        ("absent NXDOMAIN", "no address in DNS (NXDOMAIN)"),
        ("unavailable no answer in 1s", "no answer from DNS (no answer in 1s)"),
        ("approved", "approved"),
        ("something newer", "something newer"),
    ],
)
def test_an_answer_is_told_in_words(summary: str, text: str) -> None:
    assert said(Past(answers=(PastAnswer(T0, "alice", A, summary),))) == [f"{NAME} (IPv4): {text}"]


def test_a_name_is_told_by_the_family_that_was_asked_for() -> None:
    answer = PastAnswer(T0, "alice", AAAA, "absent NODATA")
    assert said(Past(answers=(answer,))) == [f"{NAME} (IPv6): no address in DNS (NODATA)"]


def test_a_stay_begins_and_ends() -> None:
    who, where = ("alice",), net(HOME)
    come, gone = (
        f"allowed from {HOME} through {NAME}",
        f"no longer allowed from {HOME}: gone from DNS",
    )
    assert events(Past(stays=(STAY,)), T0) == [
        HistoryEvent(T0, "granted", "alice", come, who, where),
        HistoryEvent(T0 + HOUR, "ended", "alice", gone, who, where),
    ]


def test_a_stay_from_before_is_told_only_by_its_end() -> None:
    assert [one.what for one in events(Past(stays=(STAY,)), T0 + HOUR)] == ["ended"]
    assert events(Past(stays=(replace(STAY, ended=None),)), T0 + HOUR) == []


def test_a_fixed_network_comes_by_the_configuration() -> None:
    fixed = replace(STAY, hostname="", ended=None)
    assert said(Past(stays=(fixed,))) == [f"allowed from {HOME} by the configuration"]
    assert said(Past(stays=(replace(STAY, why=""),)))[1] == f"no longer allowed from {HOME}"


@pytest.mark.parametrize(
    ("change", "what", "text"),
    [
        (ADDED, "added", f"{HOME} for alice, bob: moved"),
        (replace(ADDED, why=""), "added", f"{HOME} for alice, bob"),
        (replace(ADDED, again=True), "added", f"{HOME} for alice, bob: it was missing"),
        (
            replace(ADDED, action="remove", entry=entry(HOME), why="cleared"),
            "removed",
            f"{HOME}: cleared",
        ),
        (
            replace(ADDED, confirmed=False),
            "added",
            f"{HOME} for alice, bob: moved: could not be confirmed",
        ),
    ],
)
def test_a_change_is_told_with_its_reason(change: PastChange, what: str, text: str) -> None:
    (event,) = events(Past(changes=(change,)), T0)
    assert (event.what, event.text, event.confirmed) == (what, text, change.confirmed)


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        (TargetTransition(T0, WEB, "failed", "no nft"), "failed: no nft"),
        (TargetTransition(T0, WEB, "unknown", "lost"), "unknown: lost"),
        (TargetTransition(T0, WEB, "refused", "too many"), "refused: too many"),
        (TargetTransition(T0, WEB, "repaired", "mode was 0666"), "repaired: mode was 0666"),
        (TargetTransition(T0, WEB, "recovered"), "recovered"),
        (TargetTransition(T0, WEB, "something newer"), "something newer"),
    ],
)
def test_how_a_target_came_out_is_told_in_words(turn: TargetTransition, text: str) -> None:
    assert said(Past(turns=(turn,))) == [text]


EVERYTHING = Past(
    stays=(STAY, AccessPeriod("alice", net(MOVED), NAME, T0 - HOUR, T0, "moved")),
    changes=(replace(ADDED, action="remove", entry=entry(MOVED, "alice")), ADDED),
    answers=(PastAnswer(T0, "alice", A, f"found {HOME}"), PastAnswer(T0, "bob", A, "approved")),
    turns=(
        TargetTransition(T0, WEB, "failed", "no"),
        TargetTransition(T0 - HOUR, WEB, "recovered"),
    ),
)


def test_a_run_is_told_from_what_was_heard_to_what_was_done() -> None:
    assert [one.what for one in events(EVERYTHING, T0)] == [
        "answer", "answer", "granted", "ended", "added", "removed", "failed", "ended",
    ]  # fmt: skip


def test_a_host_is_told_of_what_it_has_part_in() -> None:
    assert [one.what for one in events(EVERYTHING, T0, "bob")] == ["answer", "added"]
    assert events(EVERYTHING, T0, "carol") == []
