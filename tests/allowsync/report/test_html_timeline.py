"""The bars of the page, as numbers of a thousand."""

from __future__ import annotations

import re
from datetime import timedelta

from allowsync.report.html_timeline import MOST_ROWS, SPAN, THINNEST, WIDTH, timeline
from allowsync.state.history import AccessPeriod
from tests.support.page import NOW
from tests.support.values import HOME, MOVED, net


def stay(began: float, ended: float | None = None, network: str = HOME) -> AccessPeriod:
    """A stay of alice, from and until so large a part of the span before its end."""
    end = None if ended is None else NOW - SPAN * ended
    return AccessPeriod("alice", net(network), "alice.example.org", NOW - SPAN * began, end)


def bars(*stays: AccessPeriod) -> list[tuple[int, int]]:
    """Where each bar begins, and how wide it is."""
    drawn = timeline("alice", stays, NOW)
    return [
        (int(left), int(width))
        for left, width in re.findall(r'<rect x="(\d+)" y="0" width="(\d+)"', drawn)
    ]


def test_a_bar_is_as_long_as_the_stay() -> None:
    assert bars(stay(0.5, 0.25)) == [(WIDTH // 2, WIDTH // 4)]


def test_a_stay_that_lasts_reaches_the_end() -> None:
    assert bars(stay(0.25)) == [(WIDTH * 3 // 4, WIDTH // 4)]


def test_what_began_before_the_span_begins_with_it() -> None:
    assert bars(stay(3, 0.5)) == [(0, WIDTH // 2)]


def test_the_shortest_stay_can_be_seen_and_lies_inside() -> None:
    minute = timedelta(minutes=1) / SPAN
    assert bars(stay(0.5, 0.5 - minute)) == [(WIDTH // 2, THINNEST)]
    assert bars(stay(minute)) == [(WIDTH - THINNEST, THINNEST)]


def test_two_stays_at_one_network_share_a_row() -> None:
    assert bars(stay(0.75, 0.5), stay(0.25)) == [(250, 250), (750, 250)]
    assert timeline("alice", [stay(0.75, 0.5), stay(0.25)], NOW).count("<svg") == 1


def test_the_latest_network_is_on_top() -> None:
    drawn = timeline("alice", [stay(0.75, 0.5), stay(0.5, None, MOVED)], NOW)
    assert drawn.index(f'"net">{MOVED}') < drawn.index(f'"net">{HOME}')


def test_a_stay_that_ended_before_the_span_and_those_of_others_are_not_drawn() -> None:
    assert timeline("alice", [stay(2, 1.5)], NOW) == ""
    assert timeline("bob", [stay(0.5)], NOW) == ""


def test_of_many_networks_the_latest_are_drawn_and_the_others_counted() -> None:
    stays = [stay(0.9, 0.8 - n / 100, f"81.2.70.{n}") for n in range(MOST_ROWS + 3)]
    drawn = timeline("alice", stays, NOW)
    assert drawn.count("<svg") == MOST_ROWS
    assert "and 3 more" in drawn
    assert f"81.2.70.{MOST_ROWS + 2}" in drawn
