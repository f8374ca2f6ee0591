"""Ports of 127.0.0.1 for servers that must be told theirs before they start."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import Final

_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def unused_port() -> int:
    """A port in use by no socket, and below those that the kernel assigns by itself.

    A port that was bound as 0 and released again may be any connection's the moment after, also
    between the end of a server and its next start. What lies below
    `net.ipv4.ip_local_port_range` (ip(7)) is given only to a program that asks for that number.
    """
    lowest = int(_RANGE.read_text().split()[0])
    for _ in range(1000):
        port = lowest // 2 + secrets.randbelow(lowest // 2)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LookupError("no port is unused")
