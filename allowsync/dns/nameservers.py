"""How a socket reaches a nameserver, and why it does not.

Plain DNS uses `_socket`, of which `socket` is made: that one makes enumerations of all constants
there are when it is imported, a fifth of what the resolver's process loads in an idle run.
"""

from __future__ import annotations

import _socket

from allowsync.dns.failure import Failure, FailureKind
from allowsync.typed import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from allowsync.model.nameserver import Nameserver


def unreachable(nameserver: Nameserver, error: OSError) -> Failure:
    """What a socket's error says about a nameserver."""
    if isinstance(error, ConnectionRefusedError):
        return Failure(FailureKind.UNREACHABLE, f"connection refused by {nameserver}")
    said = (error.strerror or str(error)).lower()
    return Failure(FailureKind.UNREACHABLE, f"cannot reach {nameserver}: {said}")


SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


def family_of(address: str) -> int:
    """The socket family of an IP address given as text."""
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def socket_address(nameserver: Nameserver) -> SocketAddress:
    """Where to connect to. Never asks the DNS.

    Raises:
        OSError: The address is none, or its zone is no interface of this machine.
    """
    address, _, zone = nameserver.address.partition("%")
    family = family_of(address)
    _socket.inet_pton(family, address)
    if family == _socket.AF_INET:
        return (address, nameserver.port)
    return (address, nameserver.port, 0, _scope(zone))


def _scope(zone: str) -> int:
    """The number of a zone (RFC 4007), which is written as an interface's name or number."""
    if not zone:
        return 0
    return int(zone) if zone.isdecimal() else _socket.if_nametoindex(zone)
