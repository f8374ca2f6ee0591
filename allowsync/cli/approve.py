"""`allowsync approve`: trust a name again that was absent for long, or was revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common, echo_json, instant
from allowsync.cli.completion_values import hosts as complete
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.access_order import StandingOrders
    from allowsync.state import Store

SCHEMA = "allowsync.approve/1"


@click.command()
@click.argument(
    "hosts", nargs=-1, required=True, metavar="HOST|NETWORK...", shell_complete=complete
)
@common
def approve(invocation: Invocation, hosts: tuple[str, ...]) -> int:
    """Trust a name again that was absent for long, or let in again what was revoked.

    A name that was gone for longer than policy.latch_absent may have been registered by a stranger,
    so its addresses are rejected. Ask your friend, then approve HOST, a label of the
    configuration. The next run believes what the name says by then. A HOST or NETWORK that was
    revoked is let in again by the next run as well.
    """
    from allowsync.engine.access_orders import standing
    from allowsync.state import Busy, Lock, StateError, Store

    config = invocation.load(SCHEMA)
    given = tuple(dict.fromkeys(map(_subject, hosts)))
    try:
        with Lock(config.state, config.path), Store.writing(config.state) as store:
            orders = standing(config.state, store)[0]
            revoked = {one.subject: one for one in orders.revocations}
            choose(invocation, SCHEMA, given, (*config.hosts, *revoked), "host or revocation")
            back = _let_in(config, store, orders, given, instant())
            labels = tuple(one for one in given if one in config.hosts)
            approved = dict.fromkeys(back, ()) | _approve(config, store, labels, instant())
    except Busy as error:
        invocation.stop(SCHEMA, error.code, [Notice(str(error.path), str(error))])
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), error.why)])
    _tell(invocation, approved, back)
    return int(ExitCode.IN_STEP)


def _subject(text: str) -> str:
    """A label unchanged; a network in CIDR form."""
    from ipaddress import ip_network

    try:
        return str(ip_network(text))
    except ValueError:
        return text


def _let_in(
    config: Config,
    store: Store,
    orders: StandingOrders,
    given: tuple[str, ...],
    now: datetime,
) -> frozenset[str]:
    """Lift the revocations of some labels and networks; returns those that were revoked."""
    from allowsync.model.access_order import LiftedOrder
    from allowsync.policy.orders import meant
    from allowsync.state.revocations import write_revoked

    about = {one: {one.subject, *meant(one, config.hosts)} for one in orders.revocations}
    over = [one for one, names in about.items() if not names.isdisjoint(given)]
    if over:
        left = (one for one in orders.revocations if one not in over)
        write_revoked(config.state, left, whole=not orders.lacking)
        for one in over:
            store.give(LiftedOrder(one.subject, now, "approve"))
    return frozenset(name for one in over for name in about[one] if name in given)


def _approve(
    config: Config, store: Store, labels: tuple[str, ...], now: datetime
) -> dict[str, tuple[str, ...]]:
    """Approve hosts; returns the hostnames that needed it, by host."""
    from allowsync.policy.clock import at_rest
    from allowsync.policy.decision import recall
    from allowsync.policy.inheritance import inherit

    still = at_rest(store.chronology(), now)
    memory = inherit(config.hosts.values(), store.hosts(), still)
    approved = {}
    for label in labels:
        decision = recall(config.hosts[label], memory[label], still)
        refused = (hostname for hostname, _ in decision.held_back)
        approved[label] = tuple(dict.fromkeys((*decision.latched, *refused)))
        if approved[label]:
            store.approve(label, approved[label], now)
    return approved


def _tell(
    invocation: Invocation, approved: dict[str, tuple[str, ...]], back: frozenset[str]
) -> None:
    if invocation.json:
        hosts = [
            {
                "host": label,
                "outcome": "approved" if names or label in back else "unchanged",
                "hostnames": list(names),
            }
            for label, names in approved.items()
        ]
        code = int(ExitCode.IN_STEP)
        echo_json({"schema": SCHEMA, "exit_code": code, "hosts": hosts, "problems": []})
        return
    if invocation.quiet:
        return
    from allowsync.text import Line

    for label, names in approved.items():
        parts = ["no longer revoked"] if label in back else []
        parts += [f"{', '.join(names)} is trusted again"] if names else []
        parts += ["effective with the next run", "now: allowsync apply"] if parts else []
        invocation.echo([Line(f"{label}: {'; '.join(parts) or 'nothing to approve'}")])
