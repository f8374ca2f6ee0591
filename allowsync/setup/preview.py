"""A preview of the answers: the addresses of hosts, and the clients that would be cut off."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.special_purpose import rejection
from allowsync.model.types import Host
from allowsync.model.value import Value
from allowsync.policy.screening import judge, network_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.answer import Answer
    from allowsync.model.types import Address, Network, Query
    from allowsync.setup.answers import HostAnswer
    from allowsync.setup.detect import Connection


class HostPreview(Value):
    """The present addresses of a host.

    Attributes:
        networks: The networks that would be granted.
        lines: The text for the user.
        doubtful: Whether the host needs attention.
    """

    networks: tuple[Network, ...]
    lines: tuple[str, ...]
    doubtful: bool


def whereabouts(friend: HostAnswer, answers: Mapping[Query, Answer]) -> HostPreview:
    """A host's networks by the present answers of the DNS, with any oddities."""
    networks: list[Network] = list(friend.networks)
    lines: list[str] = []
    doubtful = False
    host = Host("friend")
    for hostname in friend.hostnames:
        mine = [one for one in friend.queries if one.hostname == hostname]
        judged = [judge(one, answers.get(one, Unavailable("not asked")), host) for one in mine]
        found = [one for each in judged for one in _addresses(each.answer)]
        odd = [f"{one.address}: {one.reason}" for each in judged for one in each.rejected]
        networks += [ip_network((one, 64 if one.version == 6 else 32), False) for one in found]  # noqa: FBT003
        if found:
            lines.append(f"{hostname} is {' and '.join(map(str, found))} now")
        else:
            why = dict.fromkeys(_reason(each.answer) for each in judged)
            lines.append(f"{hostname} has no address now: {', '.join(why)}")
        lines += odd
        doubtful = doubtful or bool(odd) or not found
    return HostPreview(tuple(networks), tuple(dict.fromkeys(lines)), doubtful)


def _addresses(answer: Answer) -> tuple[Address, ...]:
    return answer.addresses if isinstance(answer, Found) else ()


def _reason(answer: Answer) -> str:
    match answer:
        case Found():
            return "found"
        case Absent(reason) | Unavailable(reason):
            return reason


def cut_off(
    connections: Iterable[Connection], ports: Iterable[str], allowed: Iterable[Network]
) -> list[Connection]:
    """The clients connected to a port that will be guarded, and not allowed any more."""
    ranges = [(one.partition("/")[2], _range(one)) for one in ports]
    inside = tuple(allowed)
    found = [
        one
        for one in dict.fromkeys(connections)
        if any(one.protocol == protocol and one.port in each for protocol, each in ranges)
        and not any(one.peer in network for network in inside)
    ]
    return sorted(found, key=lambda one: (one.port, one.peer.version, one.peer.packed))


def offered(connection: Connection) -> Network | None:
    """The network to offer for a connected client; None if it may not be granted.

    For IPv6 it is the network of one home, since the addresses in it change by the hour.
    """
    network = network_of(connection.peer, Host("guest"))
    return None if rejection(network) else network


def _range(port: str) -> range:
    first, _, last = port.partition("/")[0].partition("-")
    return range(int(first), int(last or first) + 1)
