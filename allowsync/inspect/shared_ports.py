"""Ports that several allowlists guard: told from the configuration alone."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from allowsync.inspect.diagnostics import Located
from allowsync.model.target import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config, Target


def about_shared_ports(config: Config) -> Iterator[Located]:
    """Two targets on one port whose hosts differ, where a packet has to pass both."""
    for one, other in combinations(config.targets, 2):
        hosts = [set(config.allowlists[target.allowlist].hosts) for target in (one, other)]
        # Rules that only allow, as UFW's, add up among themselves.
        if hosts[0] == hosts[1] or not (_is_gate(one) or _is_gate(other)):
            continue
        for ports in _overlaps(one, other):
            yield Located(one.name, _finding(ports, other, sorted(hosts[0] & hosts[1])))


def _is_gate(target: Target) -> bool:
    """Whether a target drops what comes to its `ports` from addresses that are not in it."""
    return bool(_ports(target)) and hasattr(target.options, "open_interfaces")


def _ports(target: Target) -> tuple[Any, ...]:
    return tuple(getattr(target.options, "ports", ()))


def _overlaps(one: Target, other: Target) -> Iterator[str]:
    """The ports that two targets have in common, each as it is written in a configuration."""
    found = set()
    for mine in _ports(one):
        for theirs in _ports(other):
            first, last = max(mine.first, theirs.first), min(mine.last, theirs.last)
            if mine.protocol is theirs.protocol and first <= last:
                numbers = str(first) if first == last else f"{first}-{last}"
                found.add((first, f"{numbers}/{mine.protocol.value}"))
    yield from (text for _, text in sorted(found))


def _finding(ports: str, other: Target, common: list[str]) -> Finding:
    through = f"only {', '.join(common)} can" if common else "no host can"
    what = (
        f"{ports} is guarded by {other.name} as well, with other hosts: a packet has to pass "
        f"both, and {through}"
    )
    return Finding(Severity.WARNING, what, "guard a port by one allowlist, or by the same hosts")
