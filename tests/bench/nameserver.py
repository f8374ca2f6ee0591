"""A name server that costs little: hand-made bytes, a fixed delay, a share of losses.

As a program (without site, so that it is there at once) it serves on an inherited socket. As a
module it says what that program answers, and starts it.
"""

from __future__ import annotations

import random
import select
import socket
import sys
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

IPV4 = 0x51000000  # 81.0.0.0: anything that no reject list holds
IPV6 = 0x2A020000  # 2a02:0:…, one /64 a host
SOA = b"\0\6\0\1\0\0\0\x3c\0\x16\0\0" + bytes(20)  # all that a proof needs, but its owner
TTL = b"\0\0\0\x3c"


def serve(listening: socket.socket, latency: float, loss: float) -> None:
    """Answer every question `latency` seconds later, losing a share of `loss`."""
    listening.setblocking(False)
    queue: deque[tuple[float, bytes, Any]] = deque()
    chance = random.Random(1)
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        ready, _, _ = select.select([listening], [], [], wait)
        while ready:
            try:
                wire, peer = listening.recvfrom(512)
            except BlockingIOError:
                break
            if chance.random() >= loss:
                queue.append((time.monotonic() + latency, respond(wire), peer))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, reply, peer = queue.popleft()
            listening.sendto(reply, peer)


def respond(wire: bytes) -> bytes:
    """The address of `host<number>.…`, proof that there is none of anything else. No EDNS.

    `four<number>.…` has an IPv4 address alone.
    """
    end = wire.index(b"\0", 12) + 5
    label = wire[13 : 13 + wire[12]].lower()
    question = wire[12:end]
    kind, number, ipv6 = label[:4], label[4:], wire[end - 3] == 28
    zone = bytes([0xC0, 13 + wire[12]])  # the name's parent
    proof = question + zone + SOA
    if kind not in (b"host", b"four") or not number.isdigit():
        return wire[:2] + b"\x81\x83\0\1\0\0\0\1\0\0" + proof
    if kind == b"four" and ipv6:
        return wire[:2] + b"\x81\x80\0\1\0\0\0\1\0\0" + proof
    rdata = address(int(number), ipv6=ipv6)
    record = b"\xc0\x0c" + question[-4:] + TTL + len(rdata).to_bytes(2, "big") + rdata
    return wire[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + record


def address(number: int, *, ipv6: bool) -> bytes:
    """The address of the host of that number, in network order."""
    if ipv6:
        return (IPV6 << 32 | number).to_bytes(8, "big") + b"\0\0\0\0\0\0\0\7"
    return (IPV4 + number).to_bytes(4, "big")


def bound(port: int = 0) -> socket.socket:
    """A socket on loopback with room for a burst of questions."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    listening.bind(("127.0.0.1", port))
    return listening


@contextmanager
def serving(listening: socket.socket, latency: float, loss: float = 0.0) -> Iterator[None]:
    """Have another process serve on a socket, which is closed here."""
    import subprocess

    number = listening.fileno()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", Path(__file__), str(number), str(latency), str(loss)],
        pass_fds=[number],
    )
    listening.close()
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]), float(sys.argv[3]))
