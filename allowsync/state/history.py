"""The recorded history as values, and its reading from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import parsed
from allowsync.model.types import Entry, Family, Query
from allowsync.model.value import Value
from allowsync.state.codec import instant, maybe, number, text, truth, whole
from allowsync.state.records import RecordedRun, TargetTransition

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from allowsync.model.access_order import Order
    from allowsync.model.types import Network


class AccessPeriod(Value):
    """A network that a host was allowed from, with start and end.

    Attributes:
        host: The host.
        network: The network.
        hostname: The hostname that gave it; empty for a fixed network.
        began: The run that granted it.
        ended: The run that withdrew it; None while it lasts.
        why: The reason for its end; empty while it lasts.
    """

    host: str
    network: Network
    hostname: str
    began: datetime
    ended: datetime | None = None
    why: str = ""

    def at(self, instant: datetime) -> bool:
        """Whether it lasted at an instant."""
        return self.began <= instant and (self.ended is None or instant < self.ended)


class PastChange(Value):
    """One entry that was added to a target or removed. `action` is `add` or `remove`.

    Where it is not `confirmed`, its success is unknown. `again` says that it had been added before,
    and that another program removed it.
    """

    at: datetime
    target: str
    action: str
    entry: Entry
    why: str
    confirmed: bool = True
    again: bool = False


class PastAnswer(Value):
    """A DNS answer that differed from the one before. `summary` is that of the retention state."""

    at: datetime
    host: str
    query: Query
    summary: str


class Past(Value):
    """The history since some instant, each part in chronological order.

    `stays` are those that had not ended by then; `first_run` is the earliest recorded run.
    """

    stays: tuple[AccessPeriod, ...] = ()
    changes: tuple[PastChange, ...] = ()
    answers: tuple[PastAnswer, ...] = ()
    turns: tuple[TargetTransition, ...] = ()
    first_run: datetime | None = None
    orders: tuple[Order, ...] = ()


def read_past(connection: sqlite3.Connection, since: datetime) -> Past:
    """The history since an instant."""
    start = number(since)
    first = connection.execute("SELECT min(started) FROM runs").fetchone()[0]
    return Past(
        _stays(connection, start),
        _changes(connection, start),
        _answers(connection, start),
        _turns(connection, start),
        maybe(first),
        _orders(connection, start),
    )


def hosts_on_record(connection: sqlite3.Connection) -> set[str]:
    """Every host in the history."""
    rows = connection.execute("SELECT host FROM stays UNION SELECT host FROM answers")
    return {text(host) for (host,) in rows}


def latest_run(connection: sqlite3.Connection) -> RecordedRun | None:
    """The latest recorded run."""
    row = connection.execute(
        "SELECT started, exit_code, seconds, offline FROM runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    started, code, seconds, offline = row
    known = None if code is None else whole(code)
    return RecordedRun(instant(started), known, seconds, truth(offline))


def run_before(connection: sqlite3.Connection, at: datetime) -> datetime | None:
    """The last run that had started at an instant; None when none is recorded."""
    row = connection.execute(
        "SELECT max(started) FROM runs WHERE started <= ?", (number(at),)
    ).fetchone()
    return maybe(row[0])


def _stays(connection: sqlite3.Connection, start: int) -> tuple[AccessPeriod, ...]:
    rows = connection.execute(
        "SELECT host, network, hostname, began, ended, why FROM stays "
        "WHERE ended IS NULL OR ended >= ? ORDER BY began, host, id",
        (start,),
    )
    return tuple(
        AccessPeriod(
            text(host), parsed(network), text(hostname), instant(began), maybe(ended), text(why)
        )
        for host, network, hostname, began, ended, why in rows
    )


_CHANGES = (
    "SELECT at, target, action, network, hosts, why, confirmed, id, "
    "lag(action || ' ' || confirmed) OVER (PARTITION BY target, network ORDER BY id) FROM changes"
)


def _changes(connection: sqlite3.Connection, start: int) -> tuple[PastChange, ...]:
    rows = connection.execute(
        f"SELECT * FROM ({_CHANGES}) WHERE at >= ? ORDER BY at, id",  # noqa: S608
        (start,),
    )
    return tuple(
        PastChange(
            instant(at),
            text(target),
            text(action),
            Entry(parsed(network), tuple(text(hosts).split())),
            text(why),
            bool(confirmed),
            again=action == "add" and before == "add 1",
        )
        for at, target, action, network, hosts, why, confirmed, _, before in rows
    )


def _answers(connection: sqlite3.Connection, start: int) -> tuple[PastAnswer, ...]:
    rows = connection.execute(
        "SELECT at, host, hostname, family, summary FROM answers WHERE at >= ? ORDER BY at, id",
        (start,),
    )
    return tuple(
        PastAnswer(instant(at), text(host), Query(text(hostname), Family(family)), text(summary))
        for at, host, hostname, family, summary in rows
    )


def _orders(connection: sqlite3.Connection, start: int) -> tuple[Order, ...]:
    from allowsync.state.access_orders import order_of

    rows = connection.execute("SELECT * FROM orders WHERE at >= ? ORDER BY at, id", (start,))
    return tuple(map(order_of, rows))


def _turns(connection: sqlite3.Connection, start: int) -> tuple[TargetTransition, ...]:
    rows = connection.execute(
        "SELECT at, target, outcome, what FROM turns WHERE at >= ? ORDER BY at, id", (start,)
    )
    return tuple(
        TargetTransition(instant(at), text(target), text(outcome), text(what))
        for at, target, outcome, what in rows
    )
