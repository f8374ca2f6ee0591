"""Sockets of a server that is asked over TCP and UDP."""

from __future__ import annotations

import socket
from itertools import count
from typing import Final

_ATTEMPTS: Final = 50


def bound(address: str, port: int = 0) -> tuple[socket.socket, socket.socket]:
    """A listening TCP and a UDP socket on the same port, where 0 picks a free one.

    A port that is free for TCP need not be free for UDP: then another one is tried.

    Raises:
        OSError: The port that is asked for is in use, or all that were tried.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for attempt in count(1):
        tcp = socket.socket(family, socket.SOCK_STREAM)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((address, port))
            udp.bind((address, tcp.getsockname()[1]))
            tcp.listen(128)
        except OSError:
            tcp.close()
            udp.close()
            if port or attempt == _ATTEMPTS:
                raise
            continue
        return tcp, udp
    raise AssertionError
