"""Effects of foreign rules on our ports, and their use of our sets. Pure.

Only certainty counts: a rule that is not understood may accept anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync_backends.ipset.inspection import goes_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync_backends.ipset.inspection import Table

# Chains that packets to a container pass before they are forwarded.
_BEFORE_CONTAINERS: Final = {"DOCKER-USER", "PREROUTING", "FORWARD"}
# Chains that only forwarded packets pass.
FORWARDED: Final = frozenset({"DOCKER-USER", "FORWARD", "DOCKER-FORWARD"})


def users_of(tables: Mapping[str, Table], name: str) -> Iterator[str]:
    """Yield the chains with a rule that looks into a set, each once, in order."""
    found = (
        chain
        for table in tables.values()
        for chain, rules in table.chains.items()
        for rule in rules
        if f"--match-set {name} " in rule
    )
    yield from dict.fromkeys(found)


def publishes(tables: Mapping[str, Table]) -> bool:
    """Whether Docker redirects a port to a container."""
    nat = tables.get("nat")
    rules = nat.chains.get("DOCKER", ()) if nat is not None else ()
    return any(goes_to(rule) == "DNAT" for rule in rules)


def covers_docker(users: Iterable[str]) -> bool:
    """Whether one of some chains sees packets to a container."""
    return not _BEFORE_CONTAINERS.isdisjoint(users)
