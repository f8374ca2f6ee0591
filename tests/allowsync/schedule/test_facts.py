"""Which schedule runs a configuration, and when next, by the files of units and of cron."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.schedule.facts import ANOTHER, NONE, by_systemd, schedule_facts
from allowsync.schedule.files import INSTALL, Disk, marked
from allowsync.schedule.status import ScheduleStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 20, 15, 0, 30, tzinfo=UTC)
USUAL = Path("/etc/allowsync/config.yaml")
OTHER = Path("/srv/other.yaml")


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/allowsync.service.d").mkdir(parents=True)
    return Disk(tmp_path)


def cron(disk: Disk, when: str, words: str = "") -> None:
    text = (
        "@reboot  root  /usr/bin/allowsync apply --offline\n"
        f"{when} * * *  root  /usr/bin/allowsync apply{words} --quiet\n"
    )
    (disk.root / "etc/cron.d/allowsync").write_text(marked(text))


def timer(disk: Disk, calendar: str, words: str = "") -> None:
    units = disk.root / "etc/systemd/system"
    (units / "allowsync.timer").write_text(marked(f"[Timer]\nOnCalendar={calendar}\n"))
    (units / "allowsync.service").write_text("[Service]\nExecStart=/usr/bin/allowsync apply\n")
    (units / "allowsync.service.d/needs.conf").write_text(f"ExecStart=allowsync apply{words}\n")


def test_where_nothing_is_installed_that_is_said(disk: Disk) -> None:
    assert schedule_facts(USUAL, disk, NOW) == NONE
    assert NONE.trouble == f"no schedule is installed; {INSTALL}"


@pytest.mark.parametrize(
    ("when", "following", "minutes"),
    [
        ("2-59/5 *", (15, 2), 5),
        ("* *", (15, 1), 1),
        ("*/20 *", (15, 20), 20),
        ("17 *", (15, 17), 60),
        ("17 */2", (16, 17), 120),
        ("17 9", None, 24 * 60),
    ],
)
def test_cron_tells_the_next_run(
    disk: Disk, when: str, following: tuple[int, int] | None, minutes: int
) -> None:
    cron(disk, when)
    found = schedule_facts(USUAL, disk, NOW)
    assert found is not None
    assert (found.scheduler, found.trouble) == ("cron", "")
    hour, minute = following or (9, 17)
    day = 20 if following else 21
    assert found.next_run == NOW.replace(day=day, hour=hour, minute=minute, second=0)
    assert found.interval == timedelta(minutes=minutes)


def test_an_entry_of_another_form_has_no_next_run(disk: Disk) -> None:
    cron(disk, "1,31 mon")
    found = schedule_facts(USUAL, disk, NOW)
    assert found is not None
    assert (found.scheduler, found.next_run, found.interval) == ("cron", None, None)


@pytest.mark.parametrize(("calendar", "minutes"), [("*:0/5", 5), ("0/2:00", 120)])
def test_a_timer_tells_how_often(disk: Disk, calendar: str, minutes: int) -> None:
    timer(disk, calendar)
    found = schedule_facts(USUAL, disk, NOW)
    assert found is not None
    assert (found.scheduler, found.interval) == ("systemd", timedelta(minutes=minutes))


def test_the_schedule_of_another_configuration_is_none_of_this_one(disk: Disk) -> None:
    cron(disk, "* *", " --config /srv/other.yaml")
    assert schedule_facts(USUAL, disk, NOW) == ANOTHER
    found = schedule_facts(OTHER, disk, NOW)
    assert found is not None
    assert found.scheduler == "cron"
    (disk.root / "etc/cron.d/allowsync").unlink()
    timer(disk, "*:0/5")
    assert schedule_facts(OTHER, disk, NOW) == ANOTHER
    timer(disk, "*:0/5", " --config /srv/other.yaml")
    assert schedule_facts(OTHER, disk, NOW) != ANOTHER


def test_systemd_tells_the_next_run_and_a_timer_that_is_off() -> None:
    asked = {
        "UnitFileState": "enabled",
        "ActiveState": "active",
        "NextElapseUSecRealtime": "Fri 2026-11-20 15:05:12 UTC",
    }
    found = by_systemd(ScheduleStatus({}, asked, {}), "OnCalendar=*:0/5\n")
    assert (found.next_run, found.trouble) == (NOW.replace(minute=5, second=12), "")
    assert not found.started
    at_work = {**asked, "SubState": "running", "NextElapseUSecRealtime": ""}
    found = by_systemd(ScheduleStatus({}, at_work, {}), "OnCalendar=*:0/5\n")
    assert (found.next_run, found.started, found.trouble) == (None, True, "")
    off = {**asked, "UnitFileState": "disabled", "ActiveState": "inactive"}
    off["NextElapseUSecRealtime"] = ""
    found = by_systemd(ScheduleStatus({}, off, {}), "OnCalendar=*:0/5\n")
    assert found.next_run is None
    assert found.trouble.startswith("allowsync.timer is disabled, inactive: no run starts; run ")
    unknown = by_systemd(ScheduleStatus({}, {}, {}), "OnCalendar=weekly\n")
    assert (unknown.trouble, unknown.next_run, unknown.interval) == ("", None, None)
