"""The findings of `allowsync check` about a firewalld target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity, flaw_findings
from allowsync.system.process import Command
from allowsync_backends.common import command as tools
from allowsync_backends.common import firewalld_bus
from allowsync_backends.common.conntrack import missing_tools
from allowsync_backends.firewalld import inspection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from allowsync_backends.firewalld.inspection import FirewalldSnapshot
    from allowsync_backends.firewalld.options import FirewalldOptions

_RULES = Command(("nft", "-t", "list", "table", "inet", "firewalld"), timeout=firewalld_bus.TIMEOUT)


def check(look: Callable[[], FirewalldSnapshot], options: FirewalldOptions) -> Sequence[Finding]:
    """Return all findings about a target."""
    if unusable := firewalld_bus.usable():
        return (Finding(Severity.ERROR, unusable),)
    try:
        seen = look()
    except BackendError as error:
        return (Finding(Severity.ERROR, str(error)),)
    found = inspection.current(seen, reload=options.reload)
    return (
        *flaw_findings(found.flaws, found.obstacles),
        *(() if options.ports or found.flaws else _unused(seen)),
        *(missing_tools() if options.end_streams else ()),
    )


def _unused(seen: FirewalldSnapshot) -> Iterator[Finding]:
    """Report sets that no rule names. Where firewalld uses iptables, nothing is reported."""
    try:
        listed = tools.ask(_RULES)
    except BackendError:
        return
    for name, family in seen.families.items():
        if listed.code == 0 and seen.in_force[name].texts and f"@{name} " not in listed.stdout:
            yield Finding(
                Severity.ERROR,
                f"no rule of firewalld uses ipset {name}: it has no effect",
                "let a rule accept what comes from it, with and without --permanent: firewall-cmd "
                f"--zone=public --add-rich-rule='rule family={family.value} source ipset={name} "
                "port port=443 protocol=tcp accept'; or give the target ports",
            )
