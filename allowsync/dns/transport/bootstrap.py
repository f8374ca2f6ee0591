"""The addresses of a DoH server: the one name that the system's own resolver looks up.

`getaddrinfo` blocks and has no time limit of its own; it is called in the thread that is about to
connect. A wrong address does no harm: the server there has to present the certificate of the name.
"""

from __future__ import annotations

import socket
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from httpcore import ConnectError, ConnectTimeout, NetworkBackend, SyncBackend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from httpcore import SOCKET_OPTION, NetworkStream

MOST: Final = 8  # addresses of one server that are tried


class UnknownHost(ConnectError):
    """The system's resolver has no address for the host; holds the reason."""


class Addresses(NetworkBackend):
    """Connects to any reachable address of one host. Used by many threads.

    Attributes:
        known: Whether the system's resolver has returned the addresses.
    """

    def __init__(self) -> None:
        self.known = False
        self._lock = Lock()
        self._found: tuple[str, ...] = ()
        self._network = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """Try one address after the other, each for its share of the time.

        Raises:
            UnknownHost: The host has no address.
            ConnectError: The last address cannot be reached.
            ConnectTimeout: The last address does not answer.
        """
        addresses = self._addresses(host, port)
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, share, local_address, socket_options)
            except (ConnectError, ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, share, local_address, socket_options)

    def _connect(self, *where: Any) -> NetworkStream:
        return self._network.connect_tcp(*where)

    def _addresses(self, host: str, port: int) -> tuple[str, ...]:
        with self._lock:
            if not self._found:
                try:
                    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                except OSError as error:
                    raise UnknownHost((error.strerror or str(error)).lower()) from error
                except UnicodeError as error:
                    raise UnknownHost(str(error)) from error
                self._found = in_turn([str(one[4][0]) for one in found])
                self.known = True
            return self._found


def in_turn(addresses: Sequence[str]) -> tuple[str, ...]:
    """Alternate the families (RFC 8305 section 4), so that a broken one costs one attempt."""
    first = [one for one in addresses if (":" in one) is (":" in addresses[0])]
    second = [one for one in addresses if (":" in one) is not (":" in addresses[0])]
    ranked = [(2 * n, one) for n, one in enumerate(first)]
    ranked += [(2 * n + 1, one) for n, one in enumerate(second)]
    return tuple(one for _, one in sorted(ranked)[:MOST])
