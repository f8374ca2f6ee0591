"""Socket addresses of nameservers, and connection failures.

Plain DNS uses `_socket`, on which `socket` is built: importing `socket` makes enumerations of all
constants, a fifth of the load time of the resolver process in an idle run.
"""

from __future__ import annotations

import _socket

from allowsync.dns.failure import Failure, FailureKind
from allowsync.typed import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from allowsync.model.nameserver import Nameserver


def unreachable(nameserver: Nameserver, error: OSError) -> Failure:
    """Return the failure that a socket error means for a nameserver."""
    if isinstance(error, ConnectionRefusedError):
        return Failure(FailureKind.UNREACHABLE, f"connection refused by {nameserver}")
    said = (error.strerror or str(error)).lower()
    return Failure(FailureKind.UNREACHABLE, f"cannot reach {nameserver}: {said}")


SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


def family_of(address: str) -> int:
    """Return the socket family of an IP address given as text."""
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def socket_address(nameserver: Nameserver) -> SocketAddress:
    """Return the address to connect to. Never asks the DNS.

    Raises:
        OSError: The text is no IP address, or its zone is no interface of this machine.
    """
    address, _, zone = nameserver.address.partition("%")
    family = family_of(address)
    _socket.inet_pton(family, address)
    if family == _socket.AF_INET:
        return (address, nameserver.port)
    return (address, nameserver.port, 0, _scope(zone))


def _scope(zone: str) -> int:
    """Return the number of a zone (RFC 4007), given as an interface's name or number."""
    if not zone:
        return 0
    return int(zone) if zone.isdecimal() else _socket.if_nametoindex(zone)
