"""Figures of many tests become one table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.scoreboard import added_up, kept, record, table, taken

if TYPE_CHECKING:
    from pathlib import Path

PARTS: list[tuple[str, dict[str, float | str]]] = [
    ("strangers", {"where": "a lying DNS", "count": 0}),
    ("crash_points", {"kills": 1200}),
    ("strangers", {"where": "at the gate", "count": 1}),
    ("crash_points", {"kills": 300}),
    ("strangers", {"where": "a lying DNS", "count": 0}),
]


def test_numbers_are_added_and_texts_collected_in_any_order() -> None:
    rows = added_up(PARTS)
    assert rows == {
        "crash points": {"kills": 1500},
        "strangers": {"where": ["a lying DNS", "at the gate"], "count": 1},
    }
    assert added_up(reversed(PARTS)) == rows


def test_the_table_has_a_line_for_each_name() -> None:
    assert table(added_up(PARTS)) == [
        "crash points  kills 1,500",
        "strangers     where 2, count 1",
    ]


def test_what_was_recorded_is_taken_once() -> None:
    record("probes", sent=3)
    assert taken() == [("probes", {"sent": 3})]
    assert taken() == []


def test_the_rows_are_kept_as_json(tmp_path: Path) -> None:
    place = tmp_path / "new" / "scoreboard.json"
    kept(added_up(PARTS), place)
    kept(added_up(PARTS), place)
    assert json.loads(place.read_text()) == added_up(PARTS)
    assert [one.name for one in place.parent.iterdir()] == ["scoreboard.json"]
