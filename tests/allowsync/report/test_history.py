"""The history as people and programs read it: whole texts, 80 columns wide."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.report.events import HistoryEvent
from allowsync.report.history import history_document, history_lines, sign
from allowsync.report.text import filled
from allowsync.text import Line
from tests.support.terminal import output_on_terminal
from tests.support.values import HOME, T0, net

HOUR = timedelta(hours=1)
LONG = "a_very_long_name_of_forty_characters_xyz/nftables"


def text(*happened: HistoryEvent) -> list[str]:
    return [line.text for line in history_lines(list(happened))]


def test_what_happened_is_told_run_by_run() -> None:
    happened = [
        HistoryEvent(T0, "granted", "alice", f"allowed from {HOME}"),
        HistoryEvent(T0, "added", "web/file", f"{HOME} for alice"),
        HistoryEvent(T0 + HOUR, "failed", "web/file", "failed: no"),
    ]
    assert list(history_lines(happened)) == [
        Line("2026-11-20 15:00:00 UTC", "bold"),
        Line(f"  + alice     allowed from {HOME}", "green"),
        Line(f"  + web/file  {HOME} for alice", "green"),
        Line("2026-11-20 16:00:00 UTC", "bold"),
        Line("  ! web/file  failed: no", "yellow"),
    ]
    assert text() == []


@output_on_terminal(80)
def test_what_is_long_goes_on_below_within_80_columns() -> None:
    lines = text(HistoryEvent(T0, "removed", "web/file", "word " * 30))
    assert len(lines) == 4
    assert lines[2].startswith(" " * 14 + "word")
    assert all(len(line) <= 80 for line in lines)


def test_a_long_name_has_a_line_for_itself() -> None:
    assert text(
        HistoryEvent(T0, "added", LONG, HOME), HistoryEvent(T0, "added", "web/file", HOME)
    ) == [
        "2026-11-20 15:00:00 UTC",
        f"  + {LONG}",
        f"              {HOME}",
        f"  + web/file  {HOME}",
    ]


def test_every_kind_has_its_sign_and_trouble_has_one_for_all() -> None:
    kinds = ("answer", "granted", "ended", "added", "removed", "repaired", "recovered", "failed")
    assert "".join(sign(HistoryEvent(T0, kind, "x", "")) for kind in kinds) == "?+-+-~=!"


@output_on_terminal(80)
def test_an_address_is_never_cut_and_nothing_acts_on_a_terminal() -> None:
    address = "x" * 90
    assert filled(f"from {address}", "a ", "b ") == ["a from", f"b {address}"]
    assert filled("\x1b[31mred\x07\n\u202e", "", "") == ["\\x1b[31mred\\x07\\n\\u202e"]
    assert filled("", "  name  ", "") == ["  name"]


def test_the_document_is_as_promised() -> None:
    happened = [
        HistoryEvent(T0, "added", "web/file", HOME, ("alice",), net(HOME), confirmed=False),
        HistoryEvent(T0, "failed", "web/file", "failed"),
    ]
    assert history_document(happened, T0, None, [], 0) == {
        "schema": "allowsync.history/1",
        "exit_code": 0,
        "since": "2026-11-20T15:00:00+00:00",
        "first_run": None,
        "events": [
            {
                "at": "2026-11-20T15:00:00+00:00",
                "what": "added",
                "who": "web/file",
                "text": HOME,
                "hosts": ["alice"],
                "network": f"{HOME}/32",
                "confirmed": False,
            },
            {
                "at": "2026-11-20T15:00:00+00:00",
                "what": "failed",
                "who": "web/file",
                "text": "failed",
                "hosts": [],
                "network": None,
                "confirmed": True,
            },
        ],
        "problems": [],
    }
    assert history_document([], T0, T0, [], 0)["first_run"] == "2026-11-20T15:00:00+00:00"


def test_a_pipe_gets_one_line_however_long() -> None:
    assert filled("word " * 40, "a ", "b ") == ["a " + ("word " * 40).rstrip()]


@pytest.mark.parametrize("columns", [40, 120])
def test_a_terminal_gets_lines_of_its_width(columns: int) -> None:
    with output_on_terminal(columns):
        lines = filled("word " * 40, "a ", "b ")
    assert columns - 5 < max(map(len, lines)) <= columns
