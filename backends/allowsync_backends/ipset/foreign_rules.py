"""What other people's rules do to our ports and with our sets. Pure.

Only certainty counts: a rule that cannot be understood may accept anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync_backends.ipset.inspection import Table, goes_to, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync_backends.common.ports import Port

_NUMBERS: Final = re.compile(r"([0-9]{1,5})(?::([0-9]{1,5}))?")

# Chains that what is meant for a container passes before it is forwarded.
_BEFORE_CONTAINERS: Final = {"DOCKER-USER", "PREROUTING", "FORWARD"}


def shut_out(found: Table, port: Port) -> bool:
    """Whether the filter table drops a port by policy, with no rule that could accept it."""
    if found.policies.get("INPUT") != "DROP":
        return False
    return not _may_accept(found, "INPUT", port, frozenset())


def _may_accept(found: Table, chain: str, port: Port, seen: frozenset[str]) -> bool:
    if chain in seen:
        return False
    for rule in found.chains.get(chain, ()):
        if not _may_match(rule, port):
            continue
        target = goes_to(rule)
        if target == "ACCEPT":
            return True
        if _may_accept(found, target, port, seen | {chain}):
            return True
    return False


def _may_match(rule: str, port: Port) -> bool:
    """Whether a rule could match a new connection to some of a range of ports."""
    words = words_of(rule)
    said = {
        words[at]: words[at + 1]
        for at in range(len(words) - 1)
        if words[at].startswith("-") and words[at - 1] != "!"
    }
    protocol = said.get("-p", "all")
    if protocol not in ("all", port.protocol.value):
        return False
    states = said.get("--ctstate", said.get("--state", "NEW"))
    if "NEW" not in states.split(",") or said.get("-i") == "lo":
        return False
    ports = said.get("--dport", said.get("--dports", said.get("--ports", "")))
    return not ports or any(_meets(one, port) for one in ports.split(","))


def _meets(text: str, port: Port) -> bool:
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return True
    first, last = int(match[1]), int(match[2] or match[1])
    return first <= port.last and port.first <= last


def users_of(tables: Mapping[str, Table], name: str) -> Iterator[str]:
    """The chains with a rule that looks into a set, each once, in order."""
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
    """Whether one of some chains sees what is meant for a container."""
    return not _BEFORE_CONTAINERS.isdisjoint(users)
