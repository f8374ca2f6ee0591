"""Letters: who is told what, how several become one message, and how long they are tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from allowsync.config.channels import NotifyChannel
from allowsync.config.secrets import Secret
from allowsync.model.notification import Event, QueuedNotification
from allowsync.notify.deduplicate import Notification
from allowsync.notify.outbox import (
    GIVEN_UP_AFTER,
    MOST_LINES,
    Message,
    address,
    addressed,
    after_failure,
    due,
    message,
)
from tests.support.values import FIVE_MINUTES, T0

MINUTE = timedelta(minutes=1)
ADMIN = NotifyChannel(url=Secret("ntfy://ntfy.example.net/hunter2"))
FRIENDS = NotifyChannel(url=Secret("json://192.0.2.1/"), events=(Event.MOVED,))
MOVED = Notification(Event.MOVED, "alice: moved")
FAILED = Notification(Event.FAILED, "web/file: boom")
LETTER = QueuedNotification("a", "failed", "web/file: boom", False, T0, 0, T0)


def test_each_channel_is_told_of_its_events_and_of_no_others() -> None:
    letters = addressed([MOVED, FAILED], [ADMIN, FRIENDS], T0)
    assert [(one.channel, one.text) for one in letters] == [
        (address(ADMIN), "web/file: boom"),
        (address(FRIENDS), "alice: moved"),
    ]


def test_the_same_url_twice_is_told_once() -> None:
    assert len(addressed([FAILED], [ADMIN, ADMIN], T0)) == 1


def test_a_letter_does_not_give_its_channel_away() -> None:
    (letter,) = addressed([FAILED], [ADMIN], T0)
    assert "hunter2" not in repr(letter) + repr(ADMIN)
    assert "ntfy" not in letter.channel


def test_one_letter_is_titled_by_its_event_and_more_by_their_number() -> None:
    assert message([LETTER], "box") == Message(
        "allowsync on box: failed", "web/file: boom", "failure"
    )
    other = replace(LETTER, text="alice: moved", event="moved", at=T0 - MINUTE)
    both = message([LETTER, other], "box")
    assert both.title == "allowsync on box: 2 notices"
    assert both.body == "alice: moved\nweb/file: boom"


def test_a_message_is_as_bad_as_the_worst_of_its_letters() -> None:
    moved = replace(LETTER, event="moved")
    stale = replace(LETTER, event="stale")
    good = replace(LETTER, good=True)
    moods = [message(ones, "box").mood for ones in ([good], [good, moved], [moved, stale])]
    assert moods == ["success", "info", "warning"]
    assert message([stale, LETTER, good], "box").mood == "failure"


def test_a_message_of_very_many_letters_is_cut_short() -> None:
    letters = [replace(LETTER, text=f"host{number:03}: gone") for number in range(100)]
    lines = message(letters, "box").body.splitlines()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == f"and {100 - MOST_LINES} more: see allowsync status"
    assert message(letters, "box").title == "allowsync on box: 100 notices"


def test_the_next_run_tries_again_and_later_ones_less_and_less_often() -> None:
    letter, now, tries = LETTER, T0, []
    while letter is not None:
        if due([letter], now):
            tries.append((now - T0) // MINUTE)
            after = after_failure(letter, now)
            if after is None:
                break
            letter = after
        now += FIVE_MINUTES
    assert tries[:6] == [0, 5, 10, 20, 40, 75]
    assert tries[-1] == GIVEN_UP_AFTER // MINUTE + 15
    assert len(tries) < 35


def test_what_waits_goes_along_with_what_is_new() -> None:
    waiting = replace(LETTER, tries=4, due=T0 + timedelta(minutes=30))
    fresh = replace(LETTER, text="alice: moved", at=T0, due=T0)
    elsewhere = replace(waiting, channel="b")
    assert due([waiting, fresh, elsewhere], T0) == {"a": [waiting, fresh]}


def test_a_clock_that_was_put_back_delays_nothing() -> None:
    waiting = replace(LETTER, tries=3, due=T0 + timedelta(minutes=16))
    assert due([waiting], T0) == {}
    assert due([waiting], T0 - timedelta(days=30)) == {"a": [waiting]}
