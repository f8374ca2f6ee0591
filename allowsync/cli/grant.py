"""`allowsync grant`: access for a while, without an edit of the configuration."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common
from allowsync.cli.scope import on_allowlists
from allowsync.model.outcome import ExitCode, Notice
from allowsync.text import Line, quote, said

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta
    from typing import NoReturn

    from allowsync.config.settings import Config
    from allowsync.model.access_order import TemporaryGrant
    from allowsync.model.types import Network
    from allowsync.state import Store

SCHEMA = "allowsync.grant/1"
ME = "me"
_SHARED_PREFIX = 64  # devices at home share the prefix, not the address


@click.command()
@click.argument("network", metavar="NETWORK|me")
@click.option(
    "--for", "span", default="4h", show_default=True, metavar="DURATION", help="How long."
)
@on_allowlists(help="Where to allow it. Repeatable; needed where there are several.")
@click.option("--as", "name", metavar="NAME", help="What to call it. Default: guest-NETWORK.")
@common
def grant(
    invocation: Invocation, network: str, span: str, on: tuple[str, ...], name: str | None
) -> int:
    """Allow a NETWORK for a while; `me` is where this SSH session comes from.

    It takes effect at once, asks no DNS, and is ended by the clock. The configuration stays as
    it is; 'allowsync revoke NAME' ends it earlier.
    """
    from allowsync.cli.access_run import enforced, not_yet, patiently, told
    from allowsync.model.networks import cidr, short
    from allowsync.report.json import instant

    config = invocation.load(SCHEMA)
    where = _where(invocation, config, on)
    wanted = _wanted(invocation, network, span, name, where, config.hosts)
    given = patiently(invocation, SCHEMA, lambda: _remembered(invocation, config, wanted))
    report = enforced(invocation, SCHEMA, config)
    document = {
        "schema": SCHEMA,
        "host": given.name,
        "network": cidr(given.network),
        "allowlists": list(given.allowlists),
        "ends": instant(given.ends),
    }
    until = f"until {given.ends:%Y-%m-%d %H:%M} UTC ({said(given.ends - given.at)})"
    what = f"{short(given.network)} is allowed on {', '.join(given.allowlists)} {until}"
    late = not_yet(report, given.allowlists)
    return told(invocation, report, document, [Line(f"{given.name}: {what}{late}")])


def _where(invocation: Invocation, config: Config, on: tuple[str, ...]) -> tuple[str, ...]:
    choose(invocation, SCHEMA, on, config.allowlists, "allowlist")
    if on or len(config.allowlists) == 1:
        return tuple(dict.fromkeys(on)) or tuple(config.allowlists)
    options = " or ".join(f"--on {one}" for one in config.allowlists)
    return _refuse(invocation, f"there are several allowlists: choose {options}")


def _wanted(
    invocation: Invocation,
    text: str,
    span: str,
    name: str | None,
    where: tuple[str, ...],
    known: Collection[str],
) -> TemporaryGrant:
    """The requested grant, checked like the configuration."""
    from allowsync.model.access_order import TemporaryGrant
    from allowsync.model.networks import short
    from allowsync.setup import answers as read
    from allowsync.system.clock import pulse

    if text in known:
        what = f"{quote(text)} is a host, which has access by its names: expected a network, or me"
        _refuse(invocation, what)
    if text != ME and read.is_hostname(text):
        what = f"{text} is a hostname: expected a network, or me; of a host whose address changes: "
        _refuse(invocation, f"{what}allowsync host add NAME {text}")
    try:
        network = _mine(invocation) if text == ME else read.network(text)
        label = re.sub("[:/]", "-", f"guest-{short(network)}")[:40] if name is None else name
        now, lasting = pulse(), _lasting(invocation, span)
        return TemporaryGrant(
            read.label(label), network, where, now.wall, now.wall + lasting, now.boot, now.uptime
        )
    except read.InvalidAnswer as error:
        return _refuse(invocation, str(error))


def _lasting(invocation: Invocation, span: str) -> timedelta:
    from allowsync.setup import answers as read

    try:
        return read.duration(span)
    except read.InvalidAnswer as error:
        return _refuse(invocation, f"--for: {error}")


def _mine(invocation: Invocation) -> Network:
    """The network of this SSH session. An unknown one is an error, never a guess."""
    from allowsync.engine.lockout import current, is_open
    from allowsync.setup import answers as read

    session = current()
    if session is None:
        _refuse(invocation, "me: unknown: this is no SSH session; name the address instead")
    if not is_open(session):
        what = f"me: unknown: the SSH session from {session.peer} has ended (a multiplexer or mosh"
        _refuse(invocation, f"{what} lives on after it); name the address instead")
    if session.peer.version == 4:
        return read.network(str(session.peer))
    return ip_network((session.peer, _SHARED_PREFIX), strict=False)


def _remembered(invocation: Invocation, config: Config, wanted: TemporaryGrant) -> TemporaryGrant:
    from allowsync.state import Lock, StateError, Store

    try:
        with Lock(config.state, config.path), Store.writing(config.state) as store:
            _check(invocation, config, store, wanted)
            store.give(wanted)
    except StateError as error:
        what = f"not granted: {error.why}"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), what)])
    return wanted


def _check(invocation: Invocation, config: Config, store: Store, wanted: TemporaryGrant) -> None:
    """Check a grant against hosts, grants and revocations. Ends the command on a conflict."""
    from allowsync.engine.access_orders import standing
    from allowsync.model.networks import overlap, short

    orders, _ = standing(config.state, store)
    if wanted.name in config.hosts:
        _refuse(invocation, f"there is a host {wanted.name!r}: choose another name with --as")
    for one in orders.grants:
        if one.name == wanted.name and one.network != wanted.network and one.ends > wanted.at:
            what = f"{wanted.name} is {short(one.network)} until {one.ends:%Y-%m-%d %H:%M} UTC"
            _refuse(invocation, f"{what}: choose another name with --as, or revoke it first")
    for revoked in orders.revocations:
        network = revoked.network
        if revoked.subject == wanted.name or (network and overlap(network, wanted.network)):
            subject = revoked.subject
            _refuse(invocation, f"{subject} is revoked: first 'allowsync approve {subject}'")


def _refuse(invocation: Invocation, what: str) -> NoReturn:
    invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
