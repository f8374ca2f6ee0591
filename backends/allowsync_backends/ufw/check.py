"""The findings of `allowsync check` about a UFW target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity, flaw_findings
from allowsync.model.types import Family
from allowsync.system.process import installed
from allowsync.text import counted
from allowsync_backends.common.conntrack import missing_tools
from allowsync_backends.ufw import foreign_rules, inspection, rules_store, settings, tool
from allowsync_backends.ufw.kernel import written
from allowsync_backends.ufw.tuples import chain, ports_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from allowsync_backends.common.ports import Port
    from allowsync_backends.ufw.options import UfwOptions
    from allowsync_backends.ufw.rules_file import RuleOwnership
    from allowsync_backends.ufw.rules_reader import UfwSnapshot

LEGACY_TABLES: Final = Path("/proc/net/ip_tables_names")

_RESTORE: Final = {Family.IPV4: "iptables-restore", Family.IPV6: "ip6tables-restore"}


def check(
    look: Callable[[], UfwSnapshot], mine: RuleOwnership, options: UfwOptions
) -> Sequence[Finding]:
    """Return all findings about a target."""
    unusable = tool.usable()
    if unusable:
        return (Finding(Severity.ERROR, unusable),)
    try:
        seen = look()
    except BackendError as error:
        return (Finding(Severity.ERROR, str(error)),)
    found = inspection.current(mine, options.ports, seen)
    flaws = found.flaws
    return (
        *flaw_findings(flaws, found.obstacles),
        *_families(seen),
        *_malformed(seen),
        *_by_hand(seen, mine, options.ports),
        *(() if flaws else _half_states(seen, route=options.route)),
        *_other_variant(),
        *(missing_tools() if options.end_streams else ()),
    )


def _families(seen: UfwSnapshot) -> Iterator[Finding]:
    if Family.IPV6 not in seen.settings.families and settings.KERNEL_IPV6.exists():
        yield Finding(
            Severity.WARNING,
            f"ufw does without IPv6: friends cannot come by it (IPV6 in {settings.DEFAULTS})",
            "set IPV6=yes there and run 'ufw reload', or give hosts 'families: [ipv4]'",
        )


def _malformed(seen: UfwSnapshot) -> Iterator[Finding]:
    for family, file in seen.files.items():
        malformed = sum(block.tuple is None for block in file.blocks)
        if malformed:
            yield Finding(
                Severity.WARNING,
                f"{counted(malformed, 'rule')} in {rules_store.path(family)} cannot be read, "
                "by ufw neither: its next change will drop them",
                "put the line right that begins with '### tuple ###', or delete it",
            )


def _by_hand(seen: UfwSnapshot, mine: RuleOwnership, ports: Sequence[Port]) -> Iterator[Finding]:
    guarded = {(ports_text(port), port.protocol.value) for port in ports}
    rules = {
        rule
        for file in seen.files.values()
        for rule in file.foreign(mine)
        if (rule.ports, rule.protocol) in guarded and not rule.source.endswith("/0")
    }
    networks = {rule.source for rule in rules}
    if networks:
        some = ", ".join(sorted(networks)[:3])
        yield Finding(
            Severity.INFO,
            f"{counted(len(rules), 'rule')} for the same ports made by others, and left "
            f"alone ({some}{', …' if len(networks) > 3 else ''}): they stay when a friend moves",
            "'allowsync adopt' takes over those of friends; delete the others by hand",
        )


def _half_states(seen: UfwSnapshot, *, route: bool) -> Iterator[Finding]:
    """Report foreign rules in which file and kernel differ, as after a killed ufw."""
    if not seen.in_force:
        return
    for family, file in seen.files.items():
        meant = written(file, chain(family, route=route))
        held = seen.kernel[family]
        if held.length != meant.length or held.rules != meant.rules:
            yield Finding(
                Severity.WARNING,
                f"the kernel does not hold what {rules_store.path(family)} says of other people's "
                "rules",
                f"'{_RESTORE[family]} -n < {rules_store.path(family)}' loads the file at once and "
                "whole; "
                "it drops what was put into ufw's chains without ufw",
            )


def _other_variant() -> Iterator[Finding]:
    """Report rules in the other iptables: a packet has to pass both sets of rules."""
    try:
        version = tool.ask(("iptables", "-V")).stdout
        if "nf_tables" not in version:
            other = "iptables-nft"
        elif LEGACY_TABLES.exists() and LEGACY_TABLES.read_text().strip():
            # Listing missing tables would create them.
            other = "iptables-legacy"
        else:
            return
        if not installed(other):
            return
        listed = tool.ask((other, "-S")).stdout
    except (BackendError, OSError):
        return
    if foreign_rules.has_rules(listed):
        yield Finding(
            Severity.WARNING,
            f"{other} has rules, too, and ufw does not see them: packets have to get past both",
            f"look at '{other} -S'; 'update-alternatives --config iptables' says which is used",
        )
