"""Adoption of published revocations by a machine that may lead later."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from allowsync.engine.access_orders import standing
from allowsync.model.access_order import Revocation
from allowsync.model.networks import cidr
from allowsync.state import StateError
from allowsync.state.revocations import write_revoked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.engine.fleet.view import FleetView
    from allowsync.state import Store


def take_over(view: FleetView, store: Store) -> None:
    """Record the leading machine's revocations: access must not return when its lead ends.

    An approval there is not adopted: the subject stays revoked here until it is approved here, too.
    A failed write is tried again in the next run.
    """
    published = {one.subject: one for one in _revoked(view)}
    if not published:
        return
    path = view.config.state
    with suppress(StateError):
        orders = standing(path, store)[0]
        known = {one.subject for one in orders.revocations}
        new = [one for subject, one in published.items() if subject not in known]
        if not new:
            return
        write_revoked(path, (*orders.revocations, *new), whole=not orders.lacking)
        for one in new:
            store.give(one)


def _revoked(view: FleetView) -> Iterator[Revocation]:
    for name, kept in view.documents.items():
        if not view.follows_as_resolver(name):
            continue
        for one in kept.document.hosts:
            host = one.host
            if host.revoked is not None:
                yield Revocation(host.name, host.revoked, None, host.hostnames)
            for network in host.revoked_networks:
                yield Revocation(cidr(network), kept.document.decided, network)
