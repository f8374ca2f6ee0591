"""How often, in the words of systemd and of cron."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from allowsync.schedule.interval import CHOICES, Interval


@pytest.mark.parametrize(
    ("text", "calendar", "cron"),
    [
        ("1m", "*:0/1", "* *"),
        ("5m", "*:0/5", "2-59/5 *"),
        ("30m", "*:0/30", "7-59/30 *"),
        ("60m", "0/1:00", "7 *"),
        ("1h", "0/1:00", "7 *"),
        ("6h", "0/6:00", "7 */6"),
    ],
)
def test_an_interval_is_said_in_both_languages(text: str, calendar: str, cron: str) -> None:
    interval = Interval.parse(text)
    assert interval.calendar == calendar
    assert interval.cron(7) == cron


@pytest.mark.parametrize(
    "text", ["", "5", "m", "7m", "90m", "0m", "-5m", "5s", "24h", "1d", "\u0665m"]
)
def test_what_no_clock_divides_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="5m"):
        Interval.parse(text)


@pytest.mark.parametrize("text", CHOICES)
def test_systemd_understands_every_choice(text: str) -> None:
    assert shutil.which("systemd-analyze"), "systemd is missing"
    interval = Interval.parse(text)
    words = ["systemd-analyze", "calendar", "--iterations=3", interval.calendar]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said.count("Iter. #") == 2 or "Next elapse" in said
    assert str(interval) == text


def test_machines_run_at_minutes_of_their_own() -> None:
    assert {Interval(5).cron(offset) for offset in range(100)} == {
        f"{first}-59/5 *" for first in range(5)
    }
