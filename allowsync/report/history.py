"""The history as text for people, 80 columns wide, and as JSON for programs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from allowsync.report.json import instant
from allowsync.report.text import filled
from allowsync.text import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from allowsync.report.events import HistoryEvent

WIDEST_NAME = 26  # columns; a longer name gets a line of its own

_SIGNS = {
    "grant": "+",
    "revoke": "-",
    "approve": "=",
    "answer": "?",
    "granted": "+",
    "ended": "-",
    "added": "+",
    "removed": "-",
    "repaired": "~",
    "changed": "~",
    "recovered": "=",
}
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "!": "yellow", "=": "green"}


def history_lines(happened: list[HistoryEvent]) -> Iterator[Line]:
    """The events, run by run."""
    names = {len(one.who) for one in happened}
    width = max((name for name in names if name <= WIDEST_NAME), default=WIDEST_NAME)
    for at, together in groupby(happened, key=lambda one: one.at):
        yield Line(f"{at:%Y-%m-%d %H:%M:%S} UTC", "bold")
        for one in together:
            yield from _lines(one, width)


def sign(event: HistoryEvent) -> str:
    """The sign of an event; `!` by default."""
    return _SIGNS.get(event.what, "!")


def _lines(event: HistoryEvent, width: int) -> Iterator[Line]:
    mark = sign(event)
    first = f"  {mark} {event.who:<{width}}  "
    rest = " " * (width + 6)
    if len(event.who) > width:
        yield Line(first.rstrip(), _COLOURS.get(mark, ""))
        first = rest
    for text in filled(event.text, first, rest):
        yield Line(text, _COLOURS.get(mark, ""))


def history_document(
    happened: Iterable[HistoryEvent],
    since: datetime,
    first_run: datetime | None,
    problems: list[dict[str, Any]],
    exit_code: int,
) -> dict[str, Any]:
    """The history (`allowsync.history/1`)."""
    return {
        "schema": "allowsync.history/1",
        "exit_code": exit_code,
        "since": instant(since),
        "first_run": None if first_run is None else instant(first_run),
        "events": [_document(one) for one in happened],
        "problems": problems,
    }


def _document(event: HistoryEvent) -> dict[str, Any]:
    return {
        "at": instant(event.at),
        "what": event.what,
        "who": event.who,
        "text": event.text,
        "hosts": list(event.hosts),
        "network": None if event.network is None else str(event.network),
        "confirmed": event.confirmed,
    }
