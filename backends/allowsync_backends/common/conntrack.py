"""Ends running connections of clients whose access was revoked.

A firewall that accepts established connections before it consults allowlists lets a running stream
continue for ever. Two things keep one alive: the socket on this machine, and its entry in
connection tracking. Deleting the latter alone is not enough: the next segment this machine sends
creates it again (`nf_conntrack_tcp_loose`), and the connection is established once more. So the
sockets are closed first, by `ss -K` (ss(8)), and then the flows deleted, by `conntrack -D`
(conntrack(8)), which also ends connections redirected to containers.

All of this is best effort. A failure is never one of the run: the firewall itself already refuses
new connections.
"""

from __future__ import annotations

import json
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import Coverage, without
from allowsync.model.target import Finding, Severity
from allowsync.model.types import BOTH_FAMILIES, Family, by_network
from allowsync.model.value import Value
from allowsync.system.process import Command, CommandError, installed, run
from allowsync_backends.common.ports import Port, Protocol, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.model.types import Address, Network

TIMEOUT: Final = 10.0  # seconds, for each command
MOST_NETWORKS: Final = 100  # in one filter of ss, whose programs the kernel limits in size
MOST_FLOWS: Final = 1000  # each takes a process of a few milliseconds


class ConntrackFlow(Value):
    """A connection in connection tracking: its source, destination and port."""

    protocol: Protocol
    source: Address
    destination: Address
    port: int


def end_streams(networks: Iterable[Network], ports: Sequence[Port] = ()) -> tuple[str, ...]:
    """End connections from networks to ports of this machine. Raises nothing.

    Args:
        networks: The networks whose access was revoked (see `taken_away`).
        ports: The destination ports, before translation. Without any: every TCP port this machine
            listens on, and every flow to an address of this machine.

    Returns:
        Failures in words, one sentence each. Missing tools are not among them (see
        `missing_tools`).
    """
    revoked = Coverage(networks)
    if not list(revoked):
        return ()
    said: list[str] = []
    for step in (_close_sockets, _forget_flows):
        try:
            step(revoked, ports)
        except CommandError as error:
            said.append(f"running streams may go on: {error}")
    return tuple(said)


def taken_away(removed: Iterable[Network], remaining: Iterable[Network]) -> list[Network]:
    """Return the parts of removed networks that no remaining one covers, sorted."""
    still = Coverage(remaining)
    return [piece for network in Coverage(removed) for piece in without(network, still)]


def missing_tools() -> Iterator[Finding]:
    """Report missing tools that end connections."""
    for tool, package, otherwise in (
        ("ss", "iproute2", "a stream to this machine goes on until it ends by itself"),
        ("conntrack", "conntrack", "a stream to a container goes on until it ends by itself"),
    ):
        if not installed(tool):
            what = f"{tool} is not installed: when access is taken away, {otherwise}"
            yield Finding(Severity.INFO, what, f"install the package {package}")


def _close_sockets(revoked: Coverage, ports: Sequence[Port]) -> None:
    if not installed("ss"):
        return
    local = (
        merged(ports, Protocol.TCP) if ports else listening(_output("ss", "-H", "-t", "-l", "-n"))
    )
    for command in close_commands(revoked, local):
        run(command)


def _forget_flows(revoked: Coverage, ports: Sequence[Port]) -> None:
    if not installed("conntrack"):
        return
    ours = frozenset[str]() if ports else local_addresses(_output("ip", "-json", "address", "show"))
    for family in BOTH_FAMILIES:
        if not any(Family.of(network) is family for network in revoked):
            continue
        listed = flows(_output("conntrack", "-L", "-f", family.value))
        chosen = (
            flow
            for flow in listed
            if revoked.covering(ip_network(flow.source)) is not None
            and (_is_among(flow, ports) if ports else str(flow.destination) in ours)
        )
        for command in forget_commands(chosen, family):
            run(command)


def _output(*argv: str) -> str:
    return run(Command(argv, timeout=TIMEOUT)).stdout


def close_commands(revoked: Iterable[Network], ports: Iterable[Port]) -> tuple[Command, ...]:
    """Return the commands that close the TCP sockets between local ports and networks. Pure.

    An IPv4 network covers its mapped addresses (RFC 4291) too, by which a server that listens for
    both families sees IPv4.
    """
    local = _either(_local(port) for port in ports)
    if not local:
        return ()
    peers = sorted(revoked, key=by_network)
    parts = (peers[first : first + MOST_NETWORKS] for first in range(0, len(peers), MOST_NETWORKS))
    return tuple(
        Command(
            ("ss", "-K", "-H", "-t", "-n", *_either(("dst", str(one)) for one in part), "and",
             *local),
            timeout=TIMEOUT,
        )
        for part in parts
    )  # fmt: skip


def _local(port: Port) -> tuple[str, ...]:
    if port.first == port.last:
        return ("sport", "=", f":{port.first}")
    return ("(", "sport", ">=", f":{port.first}", "and", "sport", "<=", f":{port.last}", ")")


def _either(terms: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return terms of a filter of ss, joined by `or`; empty for none."""
    words: list[str] = []
    for term in terms:
        words += ["or" if words else "(", *term]
    return (*words, ")") if words else ()


def forget_commands(chosen: Iterable[ConntrackFlow], family: Family) -> tuple[Command, ...]:
    """Return the commands that delete flows, each kind of flow once, and not too many. Pure."""
    each = list(dict.fromkeys(chosen))[:MOST_FLOWS]
    return tuple(
        Command(
            ("conntrack", "-D", "-f", family.value, "-p", flow.protocol.value,
             "-s", str(flow.source), "-d", str(flow.destination), "--dport", str(flow.port)),
            timeout=TIMEOUT,
        )
        for flow in each
    )  # fmt: skip


# The first four are of the original direction; the reply direction follows.
_FLOW: Final = re.compile(
    r"^(tcp|udp)\s.*?\bsrc=(\S+) dst=(\S+) sport=\d+ dport=(\d+) ", re.MULTILINE
)


def flows(listing: str) -> Iterator[ConntrackFlow]:
    """Yield the flows of TCP and UDP in the output of `conntrack -L`. Pure; skips other lines."""
    for protocol, source, destination, port in _FLOW.findall(listing):
        try:
            yield ConntrackFlow(
                Protocol(protocol), ip_address(source), ip_address(destination), int(port)
            )
        except ValueError:
            continue


def listening(listing: str) -> tuple[Port, ...]:
    """Return the TCP ports in the output of `ss -H -t -l -n`, as few ranges as possible. Pure."""
    places = (line.split()[3] for line in listing.splitlines() if len(line.split()) > 3)
    numbers = (place.rpartition(":")[2] for place in places)
    found = (int(number) for number in numbers if number.isascii() and number.isdigit())
    return merged((Port(one, one, Protocol.TCP) for one in found), Protocol.TCP)


def local_addresses(listing: str) -> frozenset[str]:
    """Return the addresses in the output of `ip -json address show`; none on an error. Pure."""
    try:
        return frozenset(
            str(ip_address(address["local"]))
            for interface in json.loads(listing)
            for address in interface.get("addr_info", ())
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def _is_among(flow: ConntrackFlow, ports: Iterable[Port]) -> bool:
    return any(
        port.protocol is flow.protocol and port.first <= flow.port <= port.last for port in ports
    )
