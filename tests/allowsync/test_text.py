"""Spans of time and numbers of things as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from allowsync.text import LONGEST_QUOTE, abridge, counted, end_of, printable, quote, said


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


@pytest.mark.parametrize(
    ("since_midnight", "text"),
    [
        (timedelta(0), "the end of 2027-01-31"),
        (timedelta(hours=5), "2027-02-01 05:00 UTC"),
        (timedelta(minutes=1), "2027-02-01 00:01 UTC"),
        (timedelta(seconds=1), "2027-02-01 00:00 UTC"),
        (timedelta(microseconds=1), "2027-02-01 00:00 UTC"),
    ],
)
def test_a_day_is_over_at_midnight(since_midnight: timedelta, text: str) -> None:
    assert end_of(datetime(2027, 2, 1, tzinfo=UTC) + since_midnight) == text


def test_a_whole_day_is_a_day() -> None:
    assert said(timedelta(days=1)) == "1 d"


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("host",), "0 hosts"),
        (1, ("host",), "1 host"),
        (2, ("host",), "2 hosts"),
        (1, ("entry", "entries"), "1 entry"),
        (0, ("entry", "entries"), "0 entries"),
    ],
)
def test_one_is_singular_and_everything_else_plural(
    number: int, words: tuple[str, ...], text: str
) -> None:
    assert counted(number, *words) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ä", "plain ä"), ("a\x1b[2J", "a\\x1b[2J"), ("two\nlines", "two\\nlines")],
)
def test_what_could_move_a_cursor_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_quotation_is_cut_to_a_length() -> None:
    assert quote("short\n") == "'short\\n'"
    assert quote("x" * 500) == repr("x" * (LONGEST_QUOTE - 3)) + "..."


def test_a_long_message_is_abridged_after_it_is_escaped() -> None:
    assert abridge("fits", 10) == "fits"
    assert abridge("\n" * 9, 10) == "\\n\\n\\n\\" + "..."
