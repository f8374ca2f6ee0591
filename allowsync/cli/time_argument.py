"""Instants as people type them: `7d`, `2h ago`, `2026-11-20`, `2026-11-20T18:30+01:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from allowsync.cli.common import instant
from allowsync.config.schema.time_kinds import DURATION, UNITS

if TYPE_CHECKING:
    from datetime import timedelta

    _Type = click.ParamType[datetime]
else:
    _Type = click.ParamType  # generic since click 8.4

_SPAN: Final = re.compile(rf"\s*\+?{DURATION.pattern}\s*")
_AGO: Final = re.compile(rf"\s*{DURATION.pattern}(?:\s+ago)?\s*")


class When(_Type):
    """An instant that is not in the future, in UTC.

    A duration counts back from now. A date is its first instant. What has no offset is in the
    machine's time zone.
    """

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant. Fails with what was expected."""
        if isinstance(value, datetime):
            return value
        now = instant()
        try:
            when = _read(str(value), now)
        except (ValueError, OverflowError, OSError):
            expected = "a time such as 2h, 7d, 2026-11-20 or 2026-11-20T18:30+01:00"
            self.fail(f"expected {expected}, got {value!r}", param, ctx)
        if when > now:
            self.fail(f"{value!r} lies in the future", param, ctx)
        return when


class Later(_Type):
    """An instant in the future, in UTC: a span from now, a date, or a date and time.

    A date is its first instant. What has no offset is in the machine's time zone.
    """

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant. Fails with what was expected."""
        if isinstance(value, datetime):
            return value
        now = instant()
        try:
            when = _ahead(str(value), now)
        except (ValueError, OverflowError, OSError):
            expected = "a time such as +3d, 2026-11-20 or 2026-11-20T18:30+01:00"
            self.fail(f"expected {expected}, got {value!r}", param, ctx)
        if when <= now:
            self.fail(f"{value!r} lies in the past", param, ctx)
        return when


def _ahead(text: str, now: datetime) -> datetime:
    match = _SPAN.fullmatch(text)
    if match is not None:
        return now + int(match[1]) * UNITS[match[2]]
    return datetime.fromisoformat(text.strip()).astimezone(UTC)


def _read(text: str, now: datetime) -> datetime:
    match = _AGO.fullmatch(text)
    if match is not None:
        return _back(now, int(match[1]) * UNITS[match[2]])
    return datetime.fromisoformat(text.strip()).astimezone(UTC)


def _back(now: datetime, span: timedelta) -> datetime:
    """An instant before now; nothing is on record from before 1970."""
    return max(now - span, datetime(1970, 1, 1, tzinfo=UTC))
