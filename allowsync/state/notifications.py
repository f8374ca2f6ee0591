"""Reported conditions and pending notifications, as rows of the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.notification import Event, QueuedNotification, ReportedCondition
from allowsync.state.codec import instant, number, text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


def read_told(connection: sqlite3.Connection) -> tuple[ReportedCondition, ...]:
    """Every reported condition."""
    rows = connection.execute(
        "SELECT event, subject, about, level, at, over, open FROM told ORDER BY rowid"
    )
    return tuple(
        ReportedCondition(
            Event(event), text(subject), text(about), int(level), instant(at), over, bool(is_open)
        )
        for event, subject, about, level, at, over, is_open in rows
    )


def write_told(connection: sqlite3.Connection, all_told: Iterable[ReportedCondition]) -> None:
    """Replace the reported conditions."""
    connection.execute("DELETE FROM told")
    connection.executemany(
        "INSERT INTO told VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (one.event.value, one.subject, one.about, one.level, number(one.at), one.over, one.open)
            for one in all_told
        ],
    )


def read_outbox(connection: sqlite3.Connection) -> tuple[QueuedNotification, ...]:
    """Every notification pending delivery."""
    rows = connection.execute(
        "SELECT channel, event, text, good, at, tries, due FROM outbox ORDER BY rowid"
    )
    return tuple(
        QueuedNotification(
            text(channel),
            text(event),
            text(what),
            bool(good),
            instant(at),
            int(tries),
            instant(due),
        )
        for channel, event, what, good, at, tries, due in rows
    )


def write_outbox(connection: sqlite3.Connection, letters: Iterable[QueuedNotification]) -> None:
    """Replace the notifications pending delivery."""
    connection.execute("DELETE FROM outbox")
    connection.executemany(
        "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (one.channel, one.event, one.text, one.good, number(one.at), one.tries, number(one.due))
            for one in letters
        ],
    )
