"""Asking by hand: what a lookup costs whoever sends two datagrams and waits."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from allowsync.model.types import BOTH_FAMILIES, Family, Query
from tests.bench.nameserver import address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Address

PATIENCE = 10.0  # seconds; longer than any answer of these servers may take


def queries(hosts: Iterable[int]) -> list[Query]:
    """Both questions about each host of those numbers."""
    return [
        Query(f"host{number}.example.org", family) for number in hosts for family in BOTH_FAMILIES
    ]


def right(query: Query) -> Address:
    """The address the name server has for a query."""
    number = int(query.hostname.partition(".")[0].removeprefix("host"))
    if query.family is Family.IPV4:
        return IPv4Address(address(number, ipv6=False))
    return IPv6Address(address(number, ipv6=True))


def question(query: Query, identifier: int) -> bytes:
    """A question as it is sent (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in query.hostname.split("."))
    kind = 1 if query.family is Family.IPV4 else 28
    return (
        struct.pack(">6H", identifier, 0x0100, 1, 0, 0, 0)
        + labels
        + struct.pack(">BHH", 0, kind, 1)
    )


def ask_one_by_one(server: tuple[str, int], asked: list[Query]) -> None:
    """Look up host after host, the A and the AAAA of each together, as getaddrinfo does.

    Raises:
        TimeoutError: An answer did not come.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE)
        asking.connect(server)
        for place in range(0, len(asked), 2):
            both = asked[place : place + 2]
            for number, query in enumerate(both, place):
                asking.send(question(query, number & 0xFFFF))
            for _ in both:
                asking.recv(512)
