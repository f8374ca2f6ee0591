"""Instants as users type them: `7d`, `2h ago`, `2026-11-20`, `2026-11-20T18:30+01:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from allowsync.cli.common import instant
from allowsync.config.schema.time_kinds import DURATION, UNITS

if TYPE_CHECKING:
    _Type = click.ParamType[datetime]
else:
    _Type = click.ParamType  # generic since click 8.4

# The earliest time that can be on record.
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Instant(_Type):
    """An instant, in UTC: a span from now, a date, or a date and time.

    A date is its first instant. Without an offset, the local time zone applies.
    """

    name = "time"
    _ahead: bool  # whether it lies in the future
    _spans: re.Pattern[str]
    _expected: str

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant. Fails with the expected form."""
        if isinstance(value, datetime):
            return value
        from allowsync.text import quote

        now = instant()
        try:
            when = self._read(str(value), now)
        except (ValueError, OverflowError, OSError):
            self.fail(f"expected {self._expected}, got {quote(str(value))}", param, ctx)
        if (when > now) is not self._ahead:
            side = "past" if self._ahead else "future"
            self.fail(f"{quote(str(value))} lies in the {side}", param, ctx)
        return when

    def _read(self, text: str, now: datetime) -> datetime:
        match = self._spans.fullmatch(text)
        if match is None:
            return datetime.fromisoformat(text.strip()).astimezone(UTC)
        span = int(match[1]) * UNITS[match[2]]
        return now + span if self._ahead else max(now - span, _FIRST)


class When(_Instant):
    """An instant that is not in the future; a span counts back from now."""

    _ahead = False
    _spans = re.compile(rf"\s*{DURATION.pattern}(?:\s+ago)?\s*")
    _expected = "a time such as 2h, 7d, 2026-11-20 or 2026-11-20T18:30+01:00"


class Later(_Instant):
    """An instant in the future; a span counts from now."""

    _ahead = True
    _spans = re.compile(rf"\s*\+?{DURATION.pattern}\s*")
    _expected = "a time such as +3d, 2026-11-20 or 2026-11-20T18:30+01:00"
