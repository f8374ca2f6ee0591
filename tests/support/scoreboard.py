"""Figures worth keeping from a test run, added up over all tests, whatever process ran them.

A figure travels with the report of the test that recorded it, so it counts once, in any order, and
only for tests that passed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROPERTY: Final = "scoreboard"
PLACE: Final = Path(__file__).parents[2] / ".cache" / "scoreboard.json"

Row = dict[str, float | list[str]]

_recorded: list[tuple[str, dict[str, float | str]]] = []


def record(name: str, **figures: float | str) -> None:
    """Keep figures of the test that is running. Numbers are added up, texts are collected."""
    _recorded.append((name, figures))


def taken() -> list[tuple[str, dict[str, float | str]]]:
    """What was recorded since it was last asked."""
    found = list(_recorded)
    _recorded.clear()
    return found


def added_up(parts: Iterable[tuple[str, Mapping[str, float | str]]]) -> dict[str, Row]:
    """One row for each name, sorted."""
    rows: dict[str, Row] = {}
    for name, figures in parts:
        row = rows.setdefault(name.replace("_", " "), {})
        for key, value in figures.items():
            row[key] = _both(row.get(key), value)
    return dict(sorted(rows.items()))


def _both(before: float | list[str] | None, value: float | str) -> float | list[str]:
    if isinstance(value, str):
        known = before if isinstance(before, list) else []
        return sorted({*known, value})
    return value + (before if isinstance(before, int | float) else 0)


def table(rows: Mapping[str, Row]) -> list[str]:
    """The rows as lines of text, with how many different texts there were."""
    width = max(map(len, rows), default=0)
    return [
        f"{name:<{width}}  " + ", ".join(_said(key, value) for key, value in row.items())
        for name, row in rows.items()
    ]


def _said(key: str, value: float | list[str]) -> str:
    number = len(value) if isinstance(value, list) else value
    return f"{key.replace('_', ' ')} {number:,}"


def kept(rows: Mapping[str, Row], place: Path = PLACE) -> None:
    """Write the rows as JSON, in one step: two test runs may end at once."""
    place.parent.mkdir(exist_ok=True)
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    draft.write_text(json.dumps(rows, indent=1) + "\n")
    draft.replace(place)
