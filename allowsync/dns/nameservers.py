"""Which nameservers there are, and how a socket reaches one."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final, TypeAlias

from allowsync.dns.failure import Failure, Kind
from allowsync.model.nameserver import Nameserver


def unreachable(nameserver: Nameserver, error: OSError) -> Failure:
    """What a socket's error says about a nameserver."""
    if isinstance(error, ConnectionRefusedError):
        return Failure(Kind.UNREACHABLE, f"connection refused by {nameserver}")
    said = (error.strerror or str(error)).lower()
    return Failure(Kind.UNREACHABLE, f"cannot reach {nameserver}: {said}")


RESOLV_CONF: Final = Path("/etc/resolv.conf")
MAX_SYSTEM_NAMESERVERS: Final = 3  # MAXNS of resolv.conf(5): other programs ask no more than these

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


def system_nameservers(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """The nameservers of this machine, in order and without repetition.

    As resolv.conf(5) says: lines that start with `nameserver`, the first three of them; the local
    machine where there are none or the file cannot be read. A line that holds no IP address is
    passed over, as the C library does.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = [server for line in text.splitlines() if (server := _nameserver(line)) is not None]
    return tuple(dict.fromkeys(found[:MAX_SYSTEM_NAMESERVERS])) or (Nameserver("127.0.0.1"),)


def _nameserver(line: str) -> Nameserver | None:
    if line[:1].isspace():  # the keyword must start the line
        return None
    words = line.replace("#", ";").partition(";")[0].split()
    if len(words) < 2 or words[0] != "nameserver" or not _is_address(words[1]):
        return None
    return Nameserver(words[1])


def _is_address(text: str) -> bool:
    address, _, _ = text.partition("%")
    try:
        socket.inet_pton(family_of(text), address)
    except OSError:
        return False
    return True


def family_of(address: str) -> socket.AddressFamily:
    """The socket family of an IP address given as text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def socket_address(nameserver: Nameserver) -> SocketAddress:
    """Where to connect to. Never asks the DNS.

    Raises:
        OSError: The address is none, or its zone is no interface of this machine.
    """
    address, _, zone = nameserver.address.partition("%")
    family = family_of(address)
    socket.inet_pton(family, address)
    if family is socket.AF_INET:
        return (address, nameserver.port)
    return (address, nameserver.port, 0, _scope(zone))


def _scope(zone: str) -> int:
    """The number of a zone (RFC 4007), which is written as an interface's name or number."""
    if not zone:
        return 0
    return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
