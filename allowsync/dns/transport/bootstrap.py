"""Where a DoH server is: the one name that the system's own resolver is asked for.

`getaddrinfo` blocks, so it is called in a thread, and the loop of the engine is woken when it is
back. It has no time limit of its own: the thread is left behind if the run ends first. A wrong
address does no harm, since whoever answers there has to show the certificate of the name.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address
from selectors import EVENT_READ
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.dns.nameservers import SocketAddress, family_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector

Place: TypeAlias = tuple[socket.AddressFamily, SocketAddress]
Places: TypeAlias = tuple[Place, ...]

MOST: Final = 8  # addresses of one server that are tried


def place_of(host: str, port: int) -> Place | None:
    """Where a host is that is written as an address; None for a name."""
    try:
        address = str(ip_address(host))
    except ValueError:
        return None
    family = family_of(address)
    return family, ((address, port) if family is socket.AF_INET else (address, port, 0, 0))


class Lookup:
    """Asks for the addresses of one name, and tells once what came of it.

    Args:
        host: The name.
        port: The port of the places that are told.
        selector: That of the loop.
        done: Is told the places, families in turn (RFC 8305 section 4), or what the system said
            instead.
    """

    def __init__(
        self, host: str, port: int, selector: BaseSelector, done: Callable[[Places | str], None]
    ) -> None:
        self._host, self._port = host, port
        self._selector = selector
        self._done = done
        self._found: Places | str = "nothing was found"
        self._ours: socket.socket | None = None

    def start(self) -> None:
        """Begin to ask."""
        try:
            self._ours, theirs = socket.socketpair()
            self._selector.register(self._ours, EVENT_READ, self._on_ready)
            Thread(target=self._ask, args=(theirs,), name="lookup", daemon=True).start()
        except (OSError, RuntimeError) as error:
            self.close()
            self._done(str(error))

    def close(self) -> None:
        """Wait no longer; nothing is told any more."""
        ours, self._ours = self._ours, None
        if ours is not None:
            with suppress(KeyError):
                self._selector.unregister(ours)
            ours.close()

    def _on_ready(self, _mask: int) -> None:
        if self._ours is not None:
            self.close()
            self._done(self._found)

    def _ask(self, theirs: socket.socket) -> None:
        """In the thread. Closing the other end of the pair is what wakes the loop."""
        with theirs:
            try:
                found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._found = _in_turn(tuple((one[0], one[4]) for one in found))  # type: ignore[misc]
            except OSError as error:
                self._found = (error.strerror or str(error)).lower()
            except UnicodeError as error:
                self._found = str(error)


def _in_turn(places: Places) -> Places:
    """Families in turn, so that one that does not work costs one attempt."""
    first = [one for one in places if one[0] is places[0][0]]
    second = [one for one in places if one[0] is not places[0][0]]
    ranked = [(2 * n, one) for n, one in enumerate(first)]
    ranked += [(2 * n + 1, one) for n, one in enumerate(second)]
    return tuple(one for _, one in sorted(ranked, key=lambda pair: pair[0])[:MOST])
