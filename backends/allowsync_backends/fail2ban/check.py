"""The findings of `allowsync check` about jails of Fail2ban."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.networks import Coverage
from allowsync.model.target import Finding, Severity, flaw_findings
from allowsync.model.types import by_network
from allowsync.system.process import installed
from allowsync_backends.fail2ban import reconcile
from allowsync_backends.fail2ban.client import MISSING, PROGRAM
from allowsync_backends.fail2ban.syntax import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.fail2ban.answers import Configured
    from allowsync_backends.fail2ban.client import Fail2banClient
    from allowsync_backends.fail2ban.jail_reader import JailSnapshot, Observation


def check(
    client: Fail2banClient,
    observe: Callable[[], Observation],
    jails: Sequence[str],
    allowlist: str,
) -> Sequence[Finding]:
    """Return all findings about a target."""
    program = PROGRAM if client.inside is None else client.inside.runtime.value
    if not installed(program):
        what = MISSING if program == PROGRAM else f"{program} is not installed"
        return (Finding(Severity.ERROR, what),)
    try:
        observed = observe()
    except BackendError as error:
        return (Finding(Severity.ERROR, str(error)),)
    return (
        *_flaws(observed.flaws, observed.jails),
        *_configured(client, observed, jails, variable(allowlist)),
        *_bans(observed.jails, observed.networks),
    )


def _flaws(flaws: tuple[str, ...], seen: JailSnapshot) -> Iterator[Finding]:
    if not seen.up:
        advice = (
            "no address is banned meanwhile; friends are ignored from the first run after it runs"
        )
        yield Finding(Severity.WARNING, "Fail2ban does not run", advice)
    yield from flaw_findings(flaws)


def _configured(
    client: Fail2banClient, observed: Observation, jails: Sequence[str], reference: str
) -> Iterator[Finding]:
    """Report the state after a restart of Fail2ban."""
    try:
        configured = client.configured()
    except BackendError as error:
        yield Finding(Severity.WARNING, str(error), "'fail2ban-client -t' says more")
        return
    for name in jails:
        if name not in configured.jails and name not in observed.jails.jails:
            advice = "'fail2ban-client status' lists those that run"
            yield Finding(Severity.ERROR, f"Fail2ban has no jail {name}", advice)
        elif name in configured.jails:
            yield from _jail(name, observed, configured, reference)


def _jail(
    name: str, observed: Observation, configured: Configured, reference: str
) -> Iterator[Finding]:
    if observed.jails.up and name not in observed.jails.jails:
        advice = f"'fail2ban-client start {name}' starts it"
        yield Finding(Severity.WARNING, f"jail {name} does not run", advice)
    ours = [str(network) for network in sorted(observed.networks, key=by_network)]
    if not reconcile.refers(configured.ignored.get(name, ()), ours):
        what = (
            f"the configuration of jail {name} does not refer to {reference}: "
            "after a restart of Fail2ban it ignores friends from the next run on"
        )
        advice = f"add %({reference})s to its ignoreip"
        yield Finding(Severity.INFO, what, advice)


def _bans(seen: JailSnapshot, networks: frozenset[Network]) -> Iterator[Finding]:
    """Report bans that block a friend and that no run lifts."""
    friends = Coverage(networks)
    for name, banned in seen.banned.items():
        inside = reconcile.banned_by(banned, networks)
        for one in inside if name not in seen.jails else ():
            what = f"jail {name} has banned {banned[one]}, which is on the allowlist"
            yield Finding(Severity.WARNING, what, f"add {name} to `jails`, or unban it")
        for wide in sorted(set(banned) - set(inside), key=by_network):
            if friends.inside(wide):
                what = f"jail {name} has banned {banned[wide]}, and friends with it"
                advice = (
                    f"'fail2ban-client set {name} unbanip {banned[wide]}', if that is not meant"
                )
                yield Finding(Severity.WARNING, what, advice)
