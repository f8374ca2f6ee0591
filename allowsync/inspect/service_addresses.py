"""Addresses of this machine at which hosts of the allowlist find no service. Pure.

No program listens there, or a rule drops packets at one address and not at another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.inspect.guarded_packets import met
from allowsync.inspect.reachability import (
    IN,
    OUT,
    address_in,
    as_friend,
    by_rules,
    named_entry,
    named_rules,
    some,
)
from allowsync.model.target import Finding, Severity
from allowsync.packetpath.question import PacketVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget
    from allowsync.model.target import PortRange
    from allowsync.model.types import Entry
    from allowsync.packetpath.question import Answer


def unserved(
    targets: Iterable[GuardedTarget],
    answers: PacketAnswers,
    servers: Mapping[str, Iterable[str]] | None = None,
) -> Iterator[tuple[str, Finding]]:
    """Addresses of this machine at which hosts of the allowlist find no service.

    Args:
        targets: The targets that guard ports of this machine.
        answers: The answers to packets to these ports.
        servers: The ports where servers of an allowlist listen, by its name, as text.
    """
    for one in targets:
        elsewhere = some((servers or {}).get(one.name.partition("/")[0], ()), "; ")
        for port in one.guard.ports if not one.guard.forwarded else ():
            if port.first != port.last:
                continue  # of a range, few ports are asked for
            given = {
                entry: [
                    as_friend(answer)
                    for answer in met(answers, address_in(entry.network), one.guard, port)
                ]
                for entry in one.friends
            }
            every = [answer for several in given.values() for answer in several]
            yield from ((one.name, found) for found in _unheard(port, every, elsewhere))
            yield from ((one.name, found) for found in _shut_at_one(port, given))


def _unheard(port: PortRange, given: Sequence[Answer], elsewhere: str) -> Iterator[Finding]:
    """Families over which no program listens at a reachable port."""
    got = [one for one in given if one.verdict is PacketVerdict.DELIVERED]
    heard = {one.question.source.version for one in got if one.heard}
    found = [one for one in got if one.question.source.version not in heard]
    if not found:
        return
    ends = {one.to[1:] if one.to else (one.question.destination, port.first) for one in found}
    at = sorted(f"{address}{_port(number, port)}" for address, number in ends)
    asked = " or ".join(f"sport = :{number}" for number in sorted({number for _, number in ends}))
    what = (
        f"{port}: no program listens over {_over(found)} at {some(at)}; "
        "hosts of the allowlist reach the port, but no service"
    )
    advice = (
        f"start it, or have it listen there; to see what does: ss -ln{port.protocol[0]}p '{asked}'"
    )
    if elsewhere and not heard and port.protocol == "tcp":
        what += f"; the allowlist's server listens elsewhere: {elsewhere}"
        advice = f"guard the port where it listens in place of {port}, or have it listen there"
    yield Finding(Severity.INFO, what, advice)


def _port(number: int, guarded: PortRange) -> str:
    return f" port {number}" if number != guarded.first else ""


def _shut_at_one(port: PortRange, given: dict[Entry, list[Answer]]) -> Iterator[Finding]:
    """Addresses at which a rule drops entries that get in at another one by the same interface."""
    stopped: dict[Entry, list[Answer]] = {}
    elsewhere: dict[str, None] = {}
    for entry, several in given.items():
        inside = {one.question.interface: one for one in several if one.verdict in IN}
        shut = [one for one in several if one.verdict in OUT and one.question.interface in inside]
        if shut and any(map(named_rules, shut)):
            stopped[entry] = shut
            elsewhere.update({str(one.question.destination): None for one in inside.values()})
    if not stopped:
        return
    found = [one for several in stopped.values() for one in several]
    at = some(dict.fromkeys(str(one.question.destination) for one in found))
    yield Finding(
        Severity.INFO,
        f"{some(map(named_entry, stopped))} cannot reach {port} over {_over(found)} at {at}"
        f"{by_rules(found)}; at {some(elsewhere)} they can",
        f"let that rule accept {port}, or have the name they use lead to {some(elsewhere)}",
    )


def _over(found: Iterable[Answer]) -> str:
    versions = sorted({one.question.source.version for one in found})
    return " and ".join(f"IPv{version}" for version in versions)
