"""The kinds of time: durations and instants."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from allowsync.config.schema.kind import Leaf, UnfitError
from allowsync.config.schema.nodes import Scalar, ScalarType, got

_MILLISECOND: Final = timedelta(milliseconds=1)
UNITS: Final = {
    "ms": _MILLISECOND,
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d|w)")

# Keeps sums with a present date within the years that `datetime` supports.
LONGEST: Final = timedelta(days=36500)

DATE: Final = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
MOMENT: Final = DATE + r"(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?) ?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"


def duration_text(value: timedelta) -> str:
    """A duration as written: `500ms`, `90s`, `15m`, `6h`, `3d`. Weeks are shown as days."""
    for unit in ("d", "h", "m", "s"):
        if value and not value % UNITS[unit]:
            return f"{value // UNITS[unit]}{unit}"
    return f"{value // _MILLISECOND}ms" if value else "0s"


class Duration(Leaf[timedelta]):
    """A span of time with its unit.

    Args:
        zero: Whether `0s` is valid.
        longest: The longest span allowed.
    """

    def __init__(self, *, zero: bool = True, longest: timedelta = LONGEST) -> None:
        self.zero = zero
        self.longest = longest

    @property
    def expected(self) -> str:
        """The form, and whether it may be zero."""
        return "a duration such as 90s, 15m, 6h or 3d" + ("" if self.zero else ", longer than 0s")

    def read(self, scalar: Scalar) -> timedelta:
        """The span. A number without a unit is refused: the unit would be a guess."""
        match = DURATION.fullmatch(scalar.text)
        if match is None or scalar.type is ScalarType.NULL:
            raise UnfitError
        count, unit = int(match[1]), UNITS[match[2]]
        if count > self.longest // unit:  # their product may be more than a timedelta holds
            longest = duration_text(self.longest)
            raise UnfitError(f"expected a duration of at most {longest}, got {got(scalar)}")
        if not count and not self.zero:
            raise UnfitError
        return count * unit

    def schema(self) -> dict[str, Any]:
        """A number and its unit, as text."""
        return {"type": "string", "pattern": f"^{DURATION.pattern}$"}

    def show(self, value: timedelta) -> Any:
        """The written form."""
        return duration_text(value)


class Moment(Leaf[datetime]):
    """The end of a day in the local time zone, or a date and time with offset. Values are in UTC.

    A date means *through that day*: a guest with access "until 31 January" still expects to get in
    on the 31st.
    """

    @property
    def expected(self) -> str:
        """Both forms."""
        return "a date such as 2027-01-31, or a date and time such as 2027-01-31T18:00+01:00"

    def read(self, scalar: Scalar) -> datetime:
        """The instant, aware and in UTC."""
        match = re.fullmatch(MOMENT, scalar.text)
        if match is None or scalar.type is not ScalarType.TEXT:
            raise UnfitError
        try:
            _day(match)
            if match[4] is None:
                return _end_of_day(match)
            if match[5] is None:
                raise UnfitError(f"{got(scalar)} lacks its offset from UTC, such as Z or +01:00")
            return _instant(match)
        except (ValueError, OverflowError) as error:
            if isinstance(error, UnfitError):
                raise
            raise UnfitError(f"{got(scalar)} is not a date and time that exists") from None

    def schema(self) -> dict[str, Any]:
        """Text of either form."""
        return {"type": "string", "pattern": f"^{DATE}([Tt ].+)?$"}

    def show(self, value: datetime) -> Any:
        """The instant in UTC, in ISO 8601."""
        return value.isoformat()


def _day(match: re.Match[str]) -> datetime:
    """The start of the written day, in UTC. Raises ValueError for a day that does not exist."""
    return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)


def _end_of_day(match: re.Match[str]) -> datetime:
    """Midnight after a day, in the local zone. `mktime` carries the day over a month's end."""
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    return datetime.fromtimestamp(time.mktime((year, month, day + 1, 0, 0, 0, 0, 0, -1)), UTC)


def _instant(match: re.Match[str]) -> datetime:
    offset = "+00:00" if match[5] in "Zz" else match[5]
    text = f"{match[1]}-{match[2]}-{match[3]}T{match[4]}{offset}"
    return datetime.fromisoformat(text).astimezone(UTC)
