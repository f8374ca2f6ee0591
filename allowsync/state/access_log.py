"""Records who is allowed from where, from when until when, and how targets came out of runs.

Both say only what differs from the last time. A friend who stays at home for a year is one row.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.model.networks import cidr
from allowsync.state.codec import MICROSECOND, number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from allowsync.state.records import AccessEnd, AccessStart, TargetTransition

RECOVERED = "recovered"
REPAIRED = "repaired"
_NUMBERS = re.compile(r"[0-9]+")


def open_stays(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Which networks each host is allowed from by the record, in CIDR form."""
    found: dict[str, set[str]] = {}
    for host, network in connection.execute("SELECT host, network FROM stays WHERE ended IS NULL"):
        found.setdefault(host, set()).add(network)
    return found


def write_stays(
    connection: sqlite3.Connection,
    began: Iterable[AccessStart],
    ended: Iterable[AccessEnd],
    at: datetime,
) -> None:
    """Write down what began and what ended at an instant."""
    _expire_grants(connection, number(at))
    connection.executemany(
        "UPDATE stays SET ended = ?, why = ? WHERE host = ? AND network = ? AND ended IS NULL",
        [(number(at), one.why, one.host, cidr(one.network)) for one in ended],
    )
    connection.executemany(
        "INSERT INTO stays (host, network, hostname, began) VALUES (?, ?, ?, ?)",
        [(one.host, cidr(one.network), one.hostname, number(at)) for one in began],
    )


def _expire_grants(connection: sqlite3.Connection, now: int) -> None:
    """End grants by command for good: those over for a day, and those that a later clock gave."""
    day = timedelta(days=1) // MICROSECOND
    connection.execute(
        "UPDATE orders SET over = ends WHERE action = 'grant' AND over IS NULL "
        "AND (ends < ? OR at > ?)",
        (now - day, now + day),
    )


def write_turns(connection: sqlite3.Connection, turns: Iterable[TargetTransition]) -> None:
    """Write down how targets came out of a run, where that differs from the time before.

    A failure that only counts differently (3 entries missing, 4 entries missing) is the same one.
    A repair is always worth a line.
    """
    for one in turns:
        row = connection.execute(
            "SELECT outcome, what FROM turns WHERE target = ? AND outcome != ? "
            "ORDER BY id DESC LIMIT 1",
            (one.target, REPAIRED),
        ).fetchone()
        if _is_new(one, row or (RECOVERED, "")):
            connection.execute(
                "INSERT INTO turns (at, target, outcome, what) VALUES (?, ?, ?, ?)",
                (number(one.at), one.target, one.outcome, one.what),
            )


def _is_new(turn: TargetTransition, last: tuple[str, str]) -> bool:
    if turn.outcome == REPAIRED:
        return True
    if turn.outcome == RECOVERED:
        return last[0] != RECOVERED
    return (turn.outcome, _NUMBERS.sub("", turn.what)) != (last[0], _NUMBERS.sub("", last[1]))
