"""Clients in the kernel's connection tracking: UDP flows, and those forwarded to containers.

Redirected connections (Docker's published ports) have no socket on this machine, and UDP has no
connections. The table of conntrack(8) has both, with the address and the port that the client sent
to.
"""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from allowsync.setup.detect import Connection
from allowsync.system.process import Command, CommandError, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Address

_FLOW: Final = re.compile(r"^(tcp|udp) .*?\bsrc=(\S+) dst=(\S+) sport=\d+ dport=(\d+)")


def tracked() -> list[Connection]:
    """The clients of this machine in the kernel's table; empty if it cannot be read."""
    found: list[Connection] = []
    for family in ("ipv4", "ipv6"):
        try:
            done = run(Command(("conntrack", "-L", "-f", family), timeout=5.0))
        except CommandError:
            return found  # not installed: sockets still show the other clients
        for one, aim in flows(done.stdout):
            if _is_ours(aim) and not _is_ours(one.peer):
                found.append(one)
    return list(dict.fromkeys(found))


def flows(table: str) -> Iterator[tuple[Connection, Address]]:
    """Yield the answered flows, each with the address that the client sent to."""
    for line in table.splitlines():
        match = _FLOW.match(line)
        if match is None or "[UNREPLIED]" in line:
            continue
        protocol, source, aim, port = match.groups()
        if protocol == "udp" or " ESTABLISHED " in line:
            yield Connection(ip_address(source), int(port), protocol), ip_address(aim)


def _is_ours(address: Address) -> bool:
    """Whether an address is one of this machine: no other can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return not address.is_loopback
