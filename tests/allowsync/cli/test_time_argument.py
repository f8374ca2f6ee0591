"""Instants as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
import pytest
from freezegun import freeze_time

from allowsync.cli.time_argument import Later, When
from tests.support.values import T0

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with freeze_time(T0):
        yield


def when(text: str) -> datetime:
    return When().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        (" 2h ago ", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("2w  ago", timedelta(weeks=2)),
    ],
)
def test_a_span_counts_back_from_now(text: str, back: timedelta) -> None:
    assert when(text) == T0 - back


def test_nothing_is_asked_for_from_before_1970() -> None:
    assert when("30000d") == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-20T14:30+01:00", "2026-11-20 13:30Z", "20261120T1330Z"])
def test_an_instant_with_an_offset_is_that_instant(text: str) -> None:
    assert when(text) == datetime(2026, 11, 20, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-19", "2026-11-19T18:30"])
def test_what_has_no_offset_is_in_the_zone_of_the_machine(text: str) -> None:
    found = when(text)
    assert found.utcoffset() == timedelta(0)
    assert found.timestamp() == datetime.fromisoformat(text).timestamp()


def test_an_instant_that_was_read_already_stays_as_it_is() -> None:
    assert When().convert(T0, None, None) is T0


@pytest.mark.parametrize(
    "text", ["", "soon", "2h from now", "-2h", "2026-02-30", "1e3s", "999999999w"]
)
def test_what_is_no_time_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a time such as 2h, 7d"):
        when(text)


@pytest.mark.parametrize("text", ["2026-11-20T15:01Z", "9999-12-31T23:59Z"])
def test_the_future_is_not_on_record(text: str) -> None:
    with pytest.raises(click.BadParameter, match="lies in the future"):
        when(text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("+3d", T0 + timedelta(days=3)),
        ("90m", T0 + timedelta(minutes=90)),
        ("2026-12-01T10:00+01:00", datetime(2026, 12, 1, 9, tzinfo=UTC)),
    ],
)
def test_what_is_to_come_counts_from_now(text: str, instant: datetime) -> None:
    assert Later().convert(text, None, None) == instant


@pytest.mark.parametrize("text", ["2020-01-01", "+0s", "-3d", "soon", "+99999999999d"])
def test_what_is_past_or_unclear_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"lies in the past|expected a time such as \+3d"):
        Later().convert(text, None, None)
