"""Reports of a fleet's machines: unsigned, for display alone. Pure.

Any machine of a fleet may write these, in the name of another as well. So no decision depends on
them, and displayed text is bounded and printable.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.fleet.fields import Fields
from allowsync.state.codec import number
from allowsync.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LARGEST: Final = 64 * 1024  # octets of one report
MOST_LISTS: Final = 1000
LONGEST_NAME: Final = 64  # as `fleet.machine`
_MOST_CODES: Final = 255


class AppliedList(NamedTuple):
    """The document of a list that a machine holds."""

    name: str
    epoch: int
    sequence: int
    decided: datetime


class MachineReport(NamedTuple):
    """A machine's report of its last run.

    Attributes:
        machine: Its name.
        at: The end of the run, by the machine's own clock.
        exit_code: The exit code of the run.
        lists: The lists of which it holds a document.
    """

    machine: str
    at: datetime
    exit_code: int
    lists: tuple[AppliedList, ...]

    def lags(self, current: Mapping[str, datetime]) -> dict[str, timedelta]:
        """The age difference of its documents to the current ones, by list.

        Args:
            current: The decision time of each list's document known here. A newer document that
                this machine has not seen yet is no lag.
        """
        return {
            one.name: max(current[one.name] - one.decided, timedelta(0))
            for one in self.lists
            if one.name in current
        }


def written(report: MachineReport) -> bytes:
    """A report as a value of a store; its key holds the name."""
    return json.dumps(
        {
            "at": number(report.at),
            "exit_code": report.exit_code,
            "lists": [{**one._asdict(), "decided": number(one.decided)} for one in report.lists],
        },
        separators=(",", ":"),
    ).encode()


def read_reports(found: Mapping[str, bytes]) -> tuple[MachineReport, ...]:
    """The reports in values, sorted by name; malformed values are left out."""
    made = (_report(name, value) for name, value in sorted(found.items()))
    return tuple(one for one in made if one is not None)


def _report(name: str, value: bytes) -> MachineReport | None:
    if len(value) > LARGEST or not name or len(name) > LONGEST_NAME:
        return None
    try:
        fields = Fields(json.loads(value))
        at, code = fields.instant("at"), fields.whole("exit_code", most=_MOST_CODES)
        lists = tuple(map(_applied, fields.objects("lists", MOST_LISTS)))
    except (ValueError, RecursionError):
        return None
    return MachineReport(printable(name), at, code, lists)


def _applied(fields: Fields) -> AppliedList:
    return AppliedList(
        fields.text("name", most=LONGEST_NAME),
        fields.whole("epoch"),
        fields.whole("sequence"),
        fields.instant("decided"),
    )
