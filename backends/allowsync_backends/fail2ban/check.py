"""What `allowsync check` says about jails of Fail2ban."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.networks import Coverage
from allowsync.model.target import Finding, Severity
from allowsync.model.types import by_network
from allowsync.system.process import installed
from allowsync_backends.fail2ban import reconcile
from allowsync_backends.fail2ban.client import MISSING, PROGRAM
from allowsync_backends.fail2ban.jail_reader import look
from allowsync_backends.fail2ban.syntax import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.model.types import Network
    from allowsync_backends.fail2ban.answers import Configured
    from allowsync_backends.fail2ban.backend import Fail2banBackend
    from allowsync_backends.fail2ban.jail_reader import JailSnapshot

NEXT_RUN = "the next 'allowsync apply' puts it right"


def check(backend: Fail2banBackend) -> Sequence[Finding]:
    """All findings about a target."""
    program = PROGRAM if backend.client.inside is None else backend.client.inside.runtime.value
    if not installed(program):
        what = MISSING if program == PROGRAM else f"{program} is not installed"
        return (Finding(Severity.ERROR, what),)
    try:
        networks = backend.record.read().networks
        seen = look(backend.client, backend.options.jails)
        absent = backend.absent(seen)
        flaws = tuple(flaw for flaw in backend.read().flaws if flaw not in absent)
    except BackendError as error:
        return (Finding(Severity.ERROR, str(error)),)
    return (*_flaws(flaws, seen), *_configured(backend, networks, seen), *_bans(seen, networks))


def _flaws(flaws: tuple[str, ...], seen: JailSnapshot) -> Iterator[Finding]:
    if not seen.up:
        advice = "nobody is banned meanwhile; friends are ignored from the first run after it runs"
        yield Finding(Severity.WARNING, "Fail2ban does not run", advice)
    for flaw in flaws:
        yield Finding(Severity.WARNING, flaw, NEXT_RUN)


def _configured(
    backend: Fail2banBackend, networks: frozenset[Network], seen: JailSnapshot
) -> Iterator[Finding]:
    """What would be so after a restart of Fail2ban."""
    try:
        configured = backend.client.configured()
    except BackendError as error:
        yield Finding(Severity.WARNING, str(error), "'fail2ban-client -t' says more")
        return
    for name in backend.options.jails:
        if name not in configured.jails and name not in seen.jails:
            advice = "'fail2ban-client status' lists those that run"
            yield Finding(Severity.ERROR, f"Fail2ban has no jail {name}", advice)
        elif name in configured.jails:
            yield from _jail(backend, name, networks, seen, configured)


def _jail(
    backend: Fail2banBackend,
    name: str,
    networks: frozenset[Network],
    seen: JailSnapshot,
    configured: Configured,
) -> Iterator[Finding]:
    if seen.up and name not in seen.jails:
        advice = f"'fail2ban-client start {name}' starts it"
        yield Finding(Severity.WARNING, f"jail {name} does not run", advice)
    ours = [str(network) for network in sorted(networks, key=by_network)]
    if not reconcile.refers(configured.ignored.get(name, ()), ours):
        what = (
            f"the configuration of jail {name} does not refer to {variable(backend.allowlist)}: "
            "after a restart of Fail2ban it ignores friends from the next run on"
        )
        advice = f"add %({variable(backend.allowlist)})s to its ignoreip"
        yield Finding(Severity.INFO, what, advice)


def _bans(seen: JailSnapshot, networks: frozenset[Network]) -> Iterator[Finding]:
    """Bans that keep a friend out and that no run takes back."""
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
