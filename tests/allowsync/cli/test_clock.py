"""Days pass between runs of the command line: the one place that reads the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.cli import run_command_line
from allowsync.cli.common import instant
from testkit.fake_dns.behaviours import SERVFAIL
from testkit.fake_dns.nameserver import NameServer
from tests.support.days import clock_at
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from freezegun.api import TickingDateTimeFactory

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.fixture
def zones() -> dict[str, object]:
    return {"alice.example.org": ["81.2.69.1"], "bob.example.org": ["81.2.69.2"]}


@pytest.fixture
def here(tmp_path: Path, zones: dict[str, object]) -> Iterator[Installation]:
    with NameServer(zones) as server:
        hosts: dict[str, object] = {name.partition(".")[0]: name for name in zones}
        yield Installation(tmp_path, server, hosts)


@pytest.fixture
def clock() -> Iterator[TickingDateTimeFactory]:
    # It ticks: waiting for the DNS goes by the time that passes, not by the wall clock.
    with clock_at(START) as ticking:
        yield ticking


def apply(here: Installation, *words: str) -> int:
    here.write()
    return run_command_line(["apply", "--config", str(here.path), *words])


def test_the_instant_of_a_run_is_the_wall_clock_in_utc(clock: TickingDateTimeFactory) -> None:
    assert timedelta(0) <= instant() - START < timedelta(minutes=1)
    assert instant().utcoffset() == timedelta(0)


def test_three_days_without_an_answer_are_bridged_and_not_more(
    here: Installation, zones: dict[str, object], clock: TickingDateTimeFactory
) -> None:
    assert apply(here) == 0
    zones["alice.example.org"] = SERVFAIL
    clock.move_to(START + timedelta(minutes=5))
    assert apply(here) == 3
    for day in (0.9, 1.8, 2.7):
        clock.move_to(START + timedelta(days=day))
        assert apply(here) == 3
    assert here.allowed == ["81.2.69.1/32", "81.2.69.2/32"]
    clock.move_to(START + timedelta(days=3, minutes=5))
    assert apply(here) == 0
    assert here.allowed == ["81.2.69.2/32"]


def test_a_date_ends_access_when_its_day_is_over(
    here: Installation, clock: TickingDateTimeFactory
) -> None:
    here.hosts["bob"] = {"hostname": "bob.example.org", "until": "2026-11-21T12:00+00:00"}
    assert apply(here) == 0
    clock.move_to(START + timedelta(hours=20))
    assert apply(here) == 0
    assert "81.2.69.2/32" in here.allowed
    clock.move_to(START + timedelta(hours=21))
    assert apply(here) == 0
    assert here.allowed == ["81.2.69.1/32"]


def test_a_clock_put_back_is_told_and_expires_nothing(
    here: Installation, clock: TickingDateTimeFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(here) == 0
    clock.move_to(START - timedelta(days=30))
    assert apply(here) == 0
    assert "clock: went backwards since the last run (2026-11-20 15:00 UTC)" in (
        capsys.readouterr().err
    )
