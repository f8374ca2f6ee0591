"""`allowsync approve`: believe a name again that was absent for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common, echo_json, instant
from allowsync.cli.completion_values import hosts as complete
from allowsync.model.outcome import ExitCode, Notice

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.state import Store

SCHEMA = "allowsync.approve/1"


@click.command()
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...", shell_complete=complete)
@common
def approve(invocation: Invocation, hosts: tuple[str, ...]) -> int:
    """Trust a name again that was absent for long.

    A name that was gone for longer than policy.latch_absent may have been registered by a stranger,
    so its addresses are rejected. Ask your friend, then approve HOST, a label of the
    configuration. The next run believes what the name says by then.
    """
    from allowsync.state import Busy, Lock, StateError, Store

    config = invocation.load(SCHEMA)
    choose(invocation, SCHEMA, hosts, config.hosts, "host")
    try:
        with Lock(config.state, config.path), Store.writing(config.state) as store:
            approved = _approve(config, store, tuple(dict.fromkeys(hosts)), instant())
    except Busy as error:
        invocation.stop(SCHEMA, error.code, [Notice(str(error.path), str(error))])
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), error.why)])
    _tell(invocation, approved)
    return int(ExitCode.IN_STEP)


def _approve(
    config: Config, store: Store, labels: tuple[str, ...], now: datetime
) -> dict[str, tuple[str, ...]]:
    """Approve hosts; the names that had to be, by host."""
    from allowsync.policy.clock import at_rest
    from allowsync.policy.decision import recall
    from allowsync.policy.tracking import inherit

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


def _tell(invocation: Invocation, approved: dict[str, tuple[str, ...]]) -> None:
    if invocation.json:
        hosts = [
            {
                "host": label,
                "outcome": "approved" if names else "unchanged",
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
        said = f"{', '.join(names)} is trusted again" if names else "nothing to approve"
        invocation.echo([Line(f"{label}: {said}")])
