"""Access orders given by command, as rows of the database and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from allowsync.model.access_order import (
    LiftedOrder,
    Revocation,
    StandingOrders,
    TemporaryGrant,
)
from allowsync.model.networks import cidr, parsed
from allowsync.state.codec import MICROSECOND, instant, number, text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from allowsync.model.access_order import Order


def orders_of(rows: Iterable[tuple[Any, ...]]) -> StandingOrders:
    """The orders in rows."""
    found = [_standing(row) for row in rows]
    return StandingOrders(
        tuple(one for one in found if isinstance(one, TemporaryGrant)),
        tuple(one for one in found if isinstance(one, Revocation)),
    )


def _standing(row: tuple[Any, ...]) -> Order:
    """The order in a row, still in force. Raises ValueError as `order_of` does."""
    order = order_of(row)
    if row[-1] is not None or isinstance(order, LiftedOrder):
        raise ValueError(f"an order about {row[3]!r} that is neither active nor ended")
    return order


def order_of(row: tuple[Any, ...]) -> Order:
    """The order in a row. Raises ValueError for values that no version of allowsync wrote."""
    _, at, action, subject, written, words, ends, boot, uptime, _ = row
    subject, action, words, boot = map(text, (subject, action, words, boot))
    given, network = instant(at), None if written is None else parsed(written)
    if action == "grant" and network is not None:
        until, lists = instant(ends), tuple(words.split())
        if until <= given or not lists:
            raise ValueError(f"a grant of {subject!r} for no time, or on no list")
        return TemporaryGrant(subject, network, lists, given, until, boot, uptime * MICROSECOND)
    if action == "revoke" and ends is None:
        return Revocation(subject, given, network, tuple(words.split()))
    return LiftedOrder(subject, given, action)


def write_order(connection: sqlite3.Connection, order: Order) -> None:
    """Record an order, and end the one about the same subject."""
    at, row = number(order.at), tuple[Any, ...]()
    match order:
        case TemporaryGrant():
            row = ("grant", order.name, cidr(order.network), " ".join(order.allowlists),
                   number(order.ends), order.boot, order.uptime // MICROSECOND, None)  # fmt: skip
        case Revocation():
            network = None if order.network is None else cidr(order.network)
            row = ("revoke", order.subject, network, " ".join(order.hostnames), None, "", 0, None)
        case LiftedOrder():
            row = (order.action, order.subject, None, "", at, "", 0, at)
        case _:
            assert_never(order)
    connection.execute(
        "UPDATE orders SET over = ? WHERE subject = ? AND over IS NULL", (at, row[1])
    )
    connection.execute("INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (at, *row))
