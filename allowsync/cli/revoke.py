"""`allowsync revoke`: access ended now, whatever the DNS answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common, instant
from allowsync.cli.completion_values import hosts as complete
from allowsync.model.outcome import ExitCode, Notice
from allowsync.text import Line, quote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.access_order import LiftedOrder, Revocation, StandingOrders
    from allowsync.model.types import Network
    from allowsync.plan.result import RunReport
    from allowsync.state import StateError

SCHEMA = "allowsync.revoke/1"


@click.command()
@click.argument("what", metavar="HOST|NETWORK", shell_complete=complete)
@click.option("--force", is_flag=True, help="Do it even if that cuts off your own SSH session.")
@common
def revoke(invocation: Invocation, what: str, *, force: bool) -> int:
    """End the access of a host or a network now, until 'allowsync approve' lets it in again.

    It takes effect at once, asks no DNS, and holds whatever the DNS says later. With a NETWORK,
    no host is allowed a network that has a part of it. Of a temporary grant there is nothing to
    approve: it is over.
    """
    from allowsync.cli.access_run import enforced, not_yet, patiently, told
    from allowsync.model.access_order import Revocation
    from allowsync.report.json import instant as written

    config = invocation.load(SCHEMA)
    network = _network(invocation, what, config.hosts)
    now = instant()
    if not force:
        _keep_session(invocation, config, what, network, now)
    order, notices = patiently(
        invocation, SCHEMA, lambda: _remembered(invocation, config, what, network, now)
    )
    report = enforced(invocation, SCHEMA, config)
    stands, subject = isinstance(order, Revocation), order.subject
    document = {
        "schema": SCHEMA,
        "subject": subject,
        "since": written(order.at),
        "until_approved": stands,
    }
    until = f"revoked, until 'allowsync approve {subject}'" if stands else "the grant is over"
    lines = [Line(f"{subject}: {until}{not_yet(report)}"), *map(Line, _left(subject, report))]
    gone = _closed(subject, report) if network is None else {network}
    return told(invocation, report, document, lines, (*notices, *_left_behind(config, gone)))


def _keep_session(
    invocation: Invocation, config: Config, what: str, network: Network | None, now: datetime
) -> None:
    """Refuse an order that would cut off this session, as far as that is known."""
    from allowsync.cli.own_session import ended_by, refuse

    order = _order(invocation, config, _standing(config), what, network, now)
    if found := ended_by(config, order):
        refuse(invocation, SCHEMA, found, "; --force does it nevertheless")


def _network(invocation: Invocation, text: str, hosts: Collection[str]) -> Network | None:
    """The network that an argument names; None for the label of a host."""
    from ipaddress import ip_interface, ip_network

    try:
        ip_interface(text)
    except ValueError:
        if text in hosts or set(text) - set("0123456789.:/"):
            return None
        what = (
            f"{quote(text)} is not a network: expected one such as 203.0.113.7 or 2001:db8:5::/48"
        )
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    try:
        return ip_network(text)
    except ValueError as error:
        what = f"{error} (did you mean {ip_interface(text).network}?)"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])


def _remembered(
    invocation: Invocation, config: Config, what: str, network: Network | None, now: datetime
) -> tuple[Revocation | LiftedOrder, list[Notice]]:
    """Store the order, in the state and beside it: one of them is enough."""
    from allowsync.model.access_order import LiftedOrder
    from allowsync.state import Lock, StateError, Store
    from allowsync.state.revocations import write_revoked

    notices: list[Notice] = []
    try:
        with Lock(config.state, config.path):
            orders = _standing(config)
            order = _order(invocation, config, orders, what, network, now)
            try:
                write_revoked(config.state, _with(orders, order), whole=not orders.lacking)
            except StateError as error:
                notices.append(_unwritten(error))
            try:
                with Store.writing(config.state) as store:
                    store.give(order)
            except StateError as error:
                notices.append(_unwritten(error))
                if isinstance(order, LiftedOrder):  # grants are stored nowhere else
                    invocation.stop(SCHEMA, ExitCode.FAILED, [_unwritten(error)])
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [_unwritten(error)])
    if len(notices) > 1:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice("revoke", "not revoked"), *notices])
    return order, notices


def _unwritten(error: StateError) -> Notice:
    return Notice(str(error.path), f"the order cannot be stored: {error.why}", ExitCode.FAILED)


def _standing(config: Config) -> StandingOrders:
    """The orders in force, as far as they can be read."""
    from allowsync.engine.access_orders import standing
    from allowsync.state import StateError, Store

    try:
        with Store.reading(config.state) as store:
            return standing(config.state, store)[0]
    except StateError:
        return standing(config.state, Store.nothing(config.state))[0]


def _order(
    invocation: Invocation,
    config: Config,
    orders: StandingOrders,
    what: str,
    network: Network | None,
    now: datetime,
) -> Revocation | LiftedOrder:
    from allowsync.model.access_order import LiftedOrder, Revocation
    from allowsync.model.networks import cidr

    if network is not None:
        return Revocation(cidr(network), now, network)
    granted = {one.name for one in orders.grants}
    choose(invocation, SCHEMA, (what,), (*config.hosts, *granted), "host")
    if what in config.hosts:
        return Revocation(what, now, None, config.hosts[what].hostnames)
    return LiftedOrder(what, now, "revoke")


def _with(orders: StandingOrders, order: Revocation | LiftedOrder) -> list[Revocation]:
    from allowsync.model.access_order import Revocation

    others = [one for one in orders.revocations if one.subject != order.subject]
    return [*others, order] if isinstance(order, Revocation) else others


def _left(subject: str, report: RunReport) -> Iterator[str]:
    """The other hosts allowed by a revoked host's networks: it may still get in by them."""
    from allowsync.model.networks import overlap, short

    for network in sorted(_closed(subject, report), key=str):
        for other in report.decisions.values():
            for one in other.grants:
                if overlap(one.network, network):
                    yield (
                        f"{short(network)}, where {subject} was, is allowed still as {one.host}; "
                        f"to close it: allowsync revoke {short(network)}"
                    )


def _closed(subject: str, report: RunReport) -> Collection[Network]:
    """The networks that a host lost."""
    from allowsync.policy.orphans import closed

    decision = report.decisions.get(subject)
    return () if decision is None else closed([decision])


def _left_behind(config: Config, gone: Collection[Network]) -> Iterator[Notice]:
    """Targets no longer configured that still hold revoked networks: no run changes them."""
    from allowsync.engine.clear import everything
    from allowsync.model.networks import overlap, short
    from allowsync.state import StateError, Store

    try:
        with Store.reading(config.state) as store:
            every = everything(config, store)
            left = [one for one in every if not (one.configured or one.denies)]
    except StateError:
        return  # the run has reported it
    for target in left:
        for one in target.held():
            if any(overlap(one, network) for network in gone):
                what = f"holds {short(one)} still, though it is no longer configured"
                removal = f"'allowsync clear --only {target.name}' removes it"
                yield Notice(target.name, f"{what}; {removal}", ExitCode.FAILED)
