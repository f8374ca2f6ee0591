"""Knocking at a server's door, once or very often."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from tests.support.sampling import WHOLE

if TYPE_CHECKING:
    from tests.support.netns import Namespace

# An answer within these namespaces takes less than a millisecond; what is to succeed may wait long
# on a busy machine, what is to fail is waited for in vain.
PATIENCE = 30.0
IN_VAIN = 0.25
# Between two datagrams; a sample leaves the machine to the other tests meanwhile.
PAUSE: Final = 0.0005


def family_of(address: str) -> socket.AddressFamily:
    """The family of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def udp_answers(
    inside: Namespace, address: str, port: int, *, source: str = "", wait: float = PATIENCE
) -> bool:
    """Whether a datagram is answered, by whomever. Give `IN_VAIN` where no answer is expected."""
    with inside.run(socket.socket, family_of(address), socket.SOCK_DGRAM) as knocking:
        knocking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        knocking.bind((source, 0))
        knocking.settimeout(wait)
        knocking.sendto(b"knock", (address, port))
        try:
            return knocking.recv(64) == b"knock"
        except (TimeoutError, ConnectionRefusedError):
            return False


def tcp_answers(
    inside: Namespace, address: str, port: int, *, source: str = "", wait: float = PATIENCE
) -> bool:
    """Whether a connection can be made and answers. Give `IN_VAIN` where it should not."""
    with inside.run(socket.socket, family_of(address), socket.SOCK_STREAM) as knocking:
        knocking.bind((source, 0))
        knocking.settimeout(wait)
        try:
            knocking.connect((address, port))
            knocking.sendall(b"knock")
            return knocking.recv(64) == b"knock"
        except (TimeoutError, ConnectionRefusedError):
            return False


@dataclass(slots=True)
class Tally:
    """What a prober did and what came of it."""

    sent: int = 0
    answered: int = 0
    connects: int = 0
    connected: int = 0


def main() -> None:
    """Probe a server until standard input ends, then print the tally.

    Arguments: `friend` or `stranger`, the server's address and port, one's own address, and how
    many datagrams are enough; that these were sent is said when it is so.

    A friend waits for each answer before asking again, so that no buffer ever overflows, and in a
    sample for a moment more; a stranger has no answer to wait for, and looks for one after each
    datagram.
    """
    role, address, port, source, goal = sys.argv[1:]
    tally = Tally()
    print("ready", flush=True)
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as udp:
        udp.bind((source, 0))
        udp.connect((address, int(port)))
        udp.setblocking(False)
        while not select.select([sys.stdin], [], [], 0)[0]:
            before = tally.sent
            for _ in range(50):
                _ask(udp, tally, PATIENCE if role == "friend" else PAUSE)
                if role == "friend" and not WHOLE:
                    time.sleep(PAUSE)
            _connect(address, int(port), source, tally, PATIENCE if role == "friend" else 0.02)
            if before < int(goal) <= tally.sent:
                print("enough", flush=True)
        # What is on its way may still arrive.
        tally.answered += _late(udp)
    print(json.dumps(asdict(tally)), flush=True)


def _ask(udp: socket.socket, tally: Tally, wait: float) -> None:
    question = tally.sent.to_bytes(8, "big")
    tally.sent += 1
    udp.send(question)
    if select.select([udp], [], [], wait)[0]:
        tally.answered += udp.recv(64) == question


def _late(udp: socket.socket) -> int:
    late = 0
    while select.select([udp], [], [], IN_VAIN)[0]:
        udp.recv(64)
        late += 1
    return late


def _connect(address: str, port: int, source: str, tally: Tally, wait: float) -> None:
    tally.connects += 1
    with socket.socket(family_of(address), socket.SOCK_STREAM) as tcp:
        tcp.bind((source, 0))
        tcp.settimeout(wait)
        try:
            tcp.connect((address, port))
            tcp.sendall(os.urandom(8))
            tally.connected += len(tcp.recv(8)) == 8
        except TimeoutError:
            return


if __name__ == "__main__":
    main()
