"""Ports that several allowlists guard, found from the configuration alone."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from allowsync.inspect.diagnostics import Located
from allowsync.inspect.layers import gates
from allowsync.model.target import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config, Target
    from allowsync.model.target import Guard, PortRange


def about_shared_ports(config: Config) -> Iterator[Located]:
    """Pairs of targets on one port with different hosts, where a packet has to pass both."""
    for (first, one, guard), (second, other, beside) in combinations(gates(config), 2):
        hosts = set(first.hosts), set(second.hosts)
        if hosts[0] == hosts[1] or (guard.adds_up and beside.adds_up):
            continue
        for port in sorted(_shared(guard, beside)):
            yield Located(one.name, _finding(port, other, sorted(hosts[0] & hosts[1])))


def _shared(one: Guard, other: Guard) -> set[PortRange]:
    return {
        shared
        for mine in one.ports
        for theirs in other.ports
        if (shared := mine.shared(theirs)) is not None
    }


def _finding(port: PortRange, other: Target, common: list[str]) -> Finding:
    through = f"only {', '.join(common)} can" if common else "no host can"
    what = (
        f"{port} is guarded by {other.name} as well, with other hosts: a packet has to pass "
        f"both, and {through}"
    )
    return Finding(Severity.WARNING, what, "guard a port by one allowlist, or by the same hosts")
