"""What is remembered of a question after one more answer, down to the last field."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.model.clock import Clock
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.policy.clock import Now
from allowsync.policy.fold import fold
from allowsync.policy.screening import RejectedAddress, ScreenedAnswer
from allowsync.policy.tracking import settled_tracks
from tests.support.values import (
    ELSEWHERE,
    FIVE_MINUTES,
    GONE,
    HOME,
    MOVED,
    SERVFAIL,
    T0,
    A,
    found,
    host,
)

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.model.answer import Answer

HOUR = timedelta(hours=1)
NOW = T0 + FIVE_MINUTES
JUMPED = Now(NOW, Clock.JUMPED)


def held(text: str, *, replaced: datetime | None = None, runs: int = 0) -> HeldAddress:
    return HeldAddress(ip_address(text), T0 - HOUR, T0, replaced, runs)


AT_HOME = RetentionState((held(HOME),), T0, summary=f"found {HOME}")


def after(
    track: RetentionState, answer: Answer, now: Now | None = None, **policy: object
) -> RetentionState:
    return fold(track, ScreenedAnswer(A, answer), host(**policy), now or Now(NOW))  # type: ignore[arg-type]


def settled(track: RetentionState) -> RetentionState:
    """What is made of a track that was remembered, at `T0`."""
    return settled_tracks(host(), HostMemory({A: track}), Now(T0))[A]


def test_the_same_answer_confirms_what_is_held() -> None:
    confirmed = HeldAddress(ip_address(HOME), T0 - HOUR, NOW)
    assert after(AT_HOME, found(HOME)) == RetentionState((confirmed,), NOW, summary=f"found {HOME}")


def test_an_answer_is_remembered_with_all_its_addresses() -> None:
    new = HeldAddress(ip_address(MOVED), NOW, NOW)
    same = HeldAddress(ip_address(HOME), T0 - HOUR, NOW)
    assert after(AT_HOME, found(HOME, MOVED)) == RetentionState(
        (same, new), NOW, summary=f"found {HOME} {MOVED}"
    )


def test_what_is_given_again_is_held_once_and_what_is_not_is_replaced() -> None:
    both = RetentionState((held(HOME), held(MOVED)), T0)
    missed = HeldAddress(ip_address(MOVED), T0 - HOUR, T0, NOW, 1)
    assert after(both, found(HOME, ELSEWHERE)).held == (
        HeldAddress(ip_address(HOME), T0 - HOUR, NOW),
        missed,
        HeldAddress(ip_address(ELSEWHERE), NOW, NOW),
    )


def test_an_absence_is_counted_from_the_first_and_ends_a_silence() -> None:
    silent = replace(AT_HOME, unavailable_runs=3, latched=True, reason="SERVFAIL")
    once = after(silent, GONE)
    assert once == replace(
        silent, absent_since=NOW, absent_runs=1, unavailable_runs=0,
        summary="absent NXDOMAIN", reason="NXDOMAIN",
    )  # fmt: skip
    twice = after(once, GONE, Now(NOW + FIVE_MINUTES))
    assert twice == replace(once, absent_runs=2)


def test_a_silence_is_counted_and_ends_a_row_of_absences() -> None:
    absent = replace(AT_HOME, absent_since=T0, absent_runs=3, latched=True, reason="NXDOMAIN")
    assert after(absent, SERVFAIL) == replace(
        absent, absent_runs=0, unavailable_runs=1, summary="unavailable SERVFAIL",
        reason="SERVFAIL",
    )  # fmt: skip


def test_a_name_that_was_never_found_may_be_silent_for_ever() -> None:
    track = RetentionState()
    for _ in range(5):
        track = after(track, SERVFAIL, keep_unavailable=timedelta(0))
    assert (track.unavailable_runs, track.known) == (5, False)


OVERDUE = {
    "absent": (replace(AT_HOME, absent_since=T0 - 9 * HOUR, absent_runs=99), GONE),
    "silent": (replace(AT_HOME, last_found=T0 - 99 * 24 * HOUR, unavailable_runs=99), SERVFAIL),
    "replaced": (
        RetentionState((held(HOME, replaced=T0 - 9 * HOUR, runs=99), held(MOVED)), T0),
        found(MOVED),
    ),
}


@pytest.mark.parametrize(("track", "answer"), OVERDUE.values(), ids=OVERDUE)
def test_a_run_whose_clock_jumped_ends_not_even_what_is_long_overdue(
    track: RetentionState, answer: Answer
) -> None:
    kept = {one.address for one in after(track, answer, JUMPED).held}
    assert ip_address(HOME) in kept
    gone = {one.address for one in after(track, answer).held}
    assert ip_address(HOME) not in gone, "it is overdue"


def test_what_a_guard_refused_is_held_back_and_nothing_else() -> None:
    doubted = RejectedAddress(ip_address(MOVED), "a wildcard; see", guarded=True)
    judged = ScreenedAnswer(
        A, SERVFAIL, (RejectedAddress(ip_address("10.0.0.1"), "private"), doubted)
    )
    track = fold(AT_HOME, judged, host(), Now(NOW))
    assert track.held_back == (f"{MOVED} rejected: a wildcard; see",)
    assert after(track, SERVFAIL).held_back == ()


LATER = T0 + 400 * 24 * HOUR
FUTURES = {
    "last found": replace(AT_HOME, last_found=LATER),
    "absent since": replace(AT_HOME, absent_since=LATER, absent_runs=1),
    "since": replace(AT_HOME, held=(replace(held(HOME), since=LATER),)),
    "confirmed": replace(AT_HOME, held=(replace(held(HOME), confirmed=LATER),)),
    "replaced": replace(AT_HOME, held=(held(HOME, replaced=LATER, runs=1),)),
    "replaced, of two": replace(AT_HOME, held=(held(HOME, replaced=LATER), held(MOVED))),
}


@pytest.mark.parametrize("track", FUTURES.values(), ids=FUTURES)
def test_nothing_that_is_remembered_lies_in_the_future(track: RetentionState) -> None:
    now = settled(track)
    instants = [now.last_found, now.absent_since]
    for one in now.held:
        instants += [one.since, one.confirmed, one.replaced]
    assert max(one for one in instants if one is not None) == T0
    assert len(now.held) == len(track.held)


def test_what_is_in_order_is_left_as_it_is() -> None:
    for track in (
        AT_HOME,
        replace(AT_HOME, last_found=None),
        replace(AT_HOME, absent_since=T0 - HOUR, absent_runs=3),
        replace(AT_HOME, absent_runs=3),
        RetentionState((held(HOME, replaced=T0 - HOUR, runs=2), held(MOVED)), T0),
    ):
        assert settled(track) == track
