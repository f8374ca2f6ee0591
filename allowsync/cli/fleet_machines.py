"""The machines' reports of their last runs, as `allowsync fleet status` shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from allowsync.fleet.machines import MachineReport, read_reports
from allowsync.model.outcome import Notice
from allowsync.text import Line, counted, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.fleet import FleetReport

SILENT: Final = timedelta(hours=2)  # twice the longest time between two reports
_MOST_LINES: Final = 50
_MOST_LISTS: Final = 5  # in a line
_GOOD: Final = (0, 3)


def machines(config: Config) -> tuple[list[MachineReport] | None, list[Notice]]:
    """The reports, on a machine that could lead; None if unknown, with the reasons."""
    from allowsync.fleet.store import StoreError
    from allowsync.fleet.stores import etcd_store

    fleet = config.fleet
    if fleet is None or fleet.store.etcd is None:
        return None, []
    refused = list(_refused(config))
    if not any(one.publish for one in config.allowlists.values()):
        return None, refused
    try:
        return list(read_reports(etcd_store(fleet).reports())), refused
    except StoreError as error:
        return None, [*refused, Notice("machines", f"not known: {error}")]


def _refused(config: Config) -> Iterator[Notice]:
    """The reason why this machine's own reports are refused, if they are."""
    from allowsync.fleet.kept import read_last_report
    from allowsync.fleet.stores import machine_name

    assert config.fleet is not None  # noqa: S101 - the caller looked
    told = read_last_report(config.state, config.fleet.store.said)
    if told is not None and told.refused:
        name = machine_name(config.fleet)
        what = (
            f"its own report was not accepted: {told.refused}; "
            "machines that publish do not show it; grant its user write access there"
        )
        yield Notice(f"machine {name}", what)


def machine_documents(
    found: Sequence[MachineReport] | None, report: FleetReport
) -> list[dict[str, Any]] | None:
    """The reports as JSON values."""
    if found is None:
        return None
    lags = [one.lags(_current(report)) for one in found]
    return [
        {
            "machine": one.machine,
            "at": one.at.isoformat(timespec="seconds"),
            "exit_code": one.exit_code,
            "lists": [
                {
                    "allowlist": held.name,
                    "epoch": held.epoch,
                    "sequence": held.sequence,
                    "decided": held.decided.isoformat(timespec="seconds"),
                    "lag": behind[held.name].total_seconds() if held.name in behind else None,
                }
                for held in one.lists
            ],
        }
        for one, behind in zip(found, lags, strict=True)
    ]


def machine_lines(
    found: Sequence[MachineReport] | None, report: FleetReport, now: datetime
) -> Iterator[Line]:
    """A line for each machine; of many, only for those with problems."""
    if not found:
        return
    lines = [_line(one, _current(report), now) for one in found]
    wrong = [line for line in lines if line.colour]
    about = f", {len(wrong)} with problems" if wrong else ""
    yield Line(f"  {counted(len(found), 'machine')}{about}")
    shown = lines if len(lines) <= _MOST_LINES else wrong
    yield from shown[:_MOST_LINES]
    if len(shown) > _MOST_LINES:
        yield Line(f"    and {len(shown) - _MOST_LINES} more; --output json has all of them")


def _line(one: MachineReport, current: dict[str, datetime], now: datetime) -> Line:
    lags, passed = one.lags(current), max(now - one.at, timedelta(0))
    behind = sum(bool(lag) for lag in lags.values())
    held = [f"{name} {_behind(lags.get(name))}" for name, *_ in one.lists]
    if len(held) > _MOST_LISTS:
        late = f", {behind} behind" if behind else ""
        held = [f"{len(held)} lists{late}"]
    what = ", ".join(held) or "no list"
    text = f"    {one.machine}: {what}; exit code {one.exit_code}, {said(passed)} ago"
    wrong = bool(behind) or one.exit_code not in _GOOD or passed > SILENT
    return Line(text, "yellow" if wrong else "")


def _behind(lag: timedelta | None) -> str:
    if lag is None:
        return "(not known here)"
    return f"{said(lag)} behind" if lag else "up to date"


def _current(report: FleetReport) -> dict[str, datetime]:
    """The time of decision of each list's document that is held here."""
    return {one.name: one.decided for one in report.lists if one.decided is not None}
