"""The configuration with access orders given by command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from allowsync.model.access_order import LiftedOrder, Revocation, StandingOrders
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace
from allowsync.policy.orders import with_grants, with_revocations

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.model.access_order import Order
    from allowsync.model.clock import Pulse
    from allowsync.state import Store


class OrderedConfig(NamedTuple):
    """A configuration with the access orders in force, and notices of unreadable ones."""

    config: Config
    orders: StandingOrders
    notices: tuple[Notice, ...] = ()


def ordered(
    config: Config, store: Store, pulse: Pulse, assumed: Iterable[Order] = ()
) -> OrderedConfig:
    """The configuration with grants and revocations by command. Raises StateError.

    Args:
        config: The configuration.
        store: The state.
        pulse: The machine's clocks.
        assumed: Further orders to assume.
    """
    orders, notices = standing(config.state, store)
    for one in assumed:
        orders = _with(orders, one)
    if not (orders.grants or orders.revocations or orders.lacking):
        return OrderedConfig(config, orders, notices)
    granted = with_grants(config.hosts, orders.grants, pulse)
    hosts = {**config.hosts, **{name: host for name, (host, _) in granted.items()}}
    allowlists = {
        name: replace(
            one,
            hosts=(*one.hosts, *(label for label, (_, on) in granted.items() if name in on)),
        )
        for name, one in config.allowlists.items()
    }
    revoked = with_revocations(hosts, orders)
    return OrderedConfig(replace(config, hosts=revoked, allowlists=allowlists), orders, notices)


def _with(orders: StandingOrders, one: Order) -> StandingOrders:
    """The orders with one more that ends access."""
    if isinstance(one, Revocation):
        return replace(orders, revocations=(*orders.revocations, one))
    if isinstance(one, LiftedOrder):
        left = tuple(grant for grant in orders.grants if grant.name != one.subject)
        return replace(orders, grants=left)
    return replace(orders, grants=(*orders.grants, one))


def standing(state: Path, store: Store) -> tuple[StandingOrders, tuple[Notice, ...]]:
    """The orders in force, from the state and the file beside it. Raises StateError."""
    orders = store.orders() or StandingOrders()
    if not os.path.lexists(f"{state}.revoked"):
        return orders, ()
    from allowsync.state.revocations import read_revoked

    kept = read_revoked(state)
    both = {one.subject: one for one in (*kept.revocations, *orders.revocations)}
    remembered = bool(orders.revocations)
    every = replace(
        orders,
        revocations=tuple(both.values()),
        lacking=kept.lacking,
        remembered=remembered,
    )
    return every, (_lacking(state, kept.lacking),) if kept.lacking else ()


def _lacking(state: Path, why: str) -> Notice:
    from allowsync.state.revocations import path_of

    path = path_of(state)
    what = (
        f"revocations cannot be read from it: {why}; other revocations are unknown, so no new "
        "address is granted; revoke each host again that must not have access, then delete the "
        f"file: rm {path}"
    )
    return Notice(str(path), what, ExitCode.FAILED)
