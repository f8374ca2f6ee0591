"""Spans of time as people say them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.text import said


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(milliseconds=700), "1 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(seconds=61), "1 min 1 s"),
        (timedelta(hours=1, minutes=5), "1 h 5 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=1, minutes=59, seconds=40), "2 h"),
        (timedelta(days=2, hours=22), "2 d 22 h"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(span: timedelta, text: str) -> None:
    assert said(span) == text


def test_a_whole_day_is_a_day() -> None:
    assert said(timedelta(days=1)) == "1 d"
