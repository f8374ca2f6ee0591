"""What machines say of themselves: read within bounds, and shown as what it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from allowsync.cli.fleet_machines import machine_lines
from allowsync.fleet.machines import (
    LARGEST,
    LONGEST_NAME,
    AppliedList,
    MachineReport,
    read_reports,
    written,
)
from allowsync.model.fleet import FleetReport, SharedList

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEB = AppliedList("web", 2, 5, NOW - timedelta(minutes=2))
NEW = WEB._replace(sequence=7, decided=NOW)
REPORT = MachineReport("edge1", NOW, 3, (WEB, AppliedList("ssh", 1, 9, NOW)))
GOOD = {"at": 0, "exit_code": 0, "lists": []}
FLEET = FleetReport(
    "home",
    leads=True,
    leader="",
    lists=(SharedList("web", True, 2, 7, NOW), SharedList("new", True)),
)


def test_a_report_is_read_as_it_was_written() -> None:
    assert read_reports({"edge1": written(REPORT)}) == (REPORT,)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"[" * 5000,
        b"\xff",
        json.dumps({**GOOD, "at": "now"}).encode(),
        json.dumps({**GOOD, "exit_code": 256}).encode(),
        json.dumps({**GOOD, "lists": {}}).encode(),
        json.dumps({**GOOD, "lists": [["web", 1, 1]]}).encode(),
        json.dumps(
            {**GOOD, "lists": [{"name": "a\nb", "epoch": 1, "sequence": 1, "decided": 0}]}
        ).encode(),
        json.dumps(
            {**GOOD, "lists": [{"name": "a", "epoch": 1, "sequence": -1, "decided": 0}]}
        ).encode(),
        json.dumps({**GOOD, "more": "x" * LARGEST}).encode(),
    ],
)
def test_what_is_no_report_is_none(value: bytes) -> None:
    assert read_reports({"a": value}) == ()


def test_names_are_bounded_and_printable() -> None:
    value = json.dumps(GOOD).encode()
    found = read_reports({"": value, "x" * (LONGEST_NAME + 1): value, "b\x1b[2J": value})
    (only,) = found
    assert only.machine.isprintable()


def test_a_lag_is_the_time_between_two_decisions() -> None:
    assert REPORT.lags({"web": NOW, "other": NOW}) == {"web": timedelta(minutes=2)}
    newer = NOW - timedelta(hours=1)  # than what is known here
    assert REPORT.lags({"web": newer}) == {"web": timedelta(0)}


def lines(*found: MachineReport) -> list[tuple[str, str]]:
    return [(one.text.strip(), one.colour) for one in machine_lines(found, FLEET, NOW)]


def test_a_machine_that_is_behind_silent_or_failing_stands_out() -> None:
    held = REPORT._replace(exit_code=0, lists=(NEW,))
    assert lines(
        held,
        held._replace(machine="late", lists=(WEB,)),
        held._replace(machine="lost", at=NOW - timedelta(hours=3)),
        held._replace(machine="bad", exit_code=1, lists=()),
        held._replace(machine="more", lists=(NEW._replace(name="other"),)),
    ) == [
        ("5 machines, 3 with problems", ""),
        ("edge1: web up to date; exit code 0, 0 s ago", ""),
        ("late: web 2 min behind; exit code 0, 0 s ago", "yellow"),
        ("lost: web up to date; exit code 0, 3 h ago", "yellow"),
        ("bad: no list; exit code 1, 0 s ago", "yellow"),
        ("more: other (not known here); exit code 0, 0 s ago", ""),
    ]
    assert lines() == []


def test_of_many_machines_and_lists_only_what_is_wrong_is_shown() -> None:
    good = REPORT._replace(exit_code=0, lists=(NEW,))
    many = [good._replace(machine=f"m{n}") for n in range(100)]
    assert lines(*many) == [("100 machines", "")]
    more = tuple(AppliedList(f"l{n}", 1, 1, NOW) for n in range(6))
    bad = [good._replace(machine=f"b{n}", lists=(WEB, *more)) for n in range(60)]
    shown = lines(*many, *bad)
    assert shown[:2] == [
        ("160 machines, 60 with problems", ""),
        ("b0: 7 lists, 1 behind; exit code 0, 0 s ago", "yellow"),
    ]
    assert len(shown) == 52
    assert shown[-1] == ("and 10 more; --output json has all of them", "")
