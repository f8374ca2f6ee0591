"""What a packet pays for a gate, by how much the gate holds."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.elements import networks, plan
from tests.bench.scenario import OURS, Figure, Scenario, at_most
from tests.bench.sets import gate
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.scenario import Sample, Side, Sides

FRIEND, STRANGER, SERVER = "10.0.0.1", "10.0.0.2", "10.0.0.3"
PORT = 443
# A batch is shorter than a time slice, so that most batches are not interrupted.
BATCHES, BATCH = 100, 30
# A datagram within one machine is there at once; this is for one that never comes.
PATIENCE = 5.0
FEW = "10 entries"
OPEN = "no gate"


@contextmanager
def gates(large: int, small: int) -> Iterator[Sides]:
    """Three pairs of namespaces that differ in the gate between them."""
    with ExitStack() as stack:
        yield {
            OURS: stack.enter_context(door(large)),
            FEW: stack.enter_context(door(small)),
            OPEN: stack.enter_context(door(0)),
        }


@contextmanager
def door(entries: int) -> Iterator[Side]:
    """A friend and a server behind a gate that lets in the friend and others; or without a gate.

    One thread holds both sockets, so that a round trip is four system calls and what the kernel
    does with two packets, and never waits for a scheduler.
    """
    with Namespace() as friend, Namespace() as server:
        friend.join(server, "to-server", "to-friend")
        friend.batch(
            f"address add {FRIEND}/24 dev to-server", f"address add {STRANGER}/24 dev to-server"
        )
        server.batch(f"address add {SERVER}/24 dev to-friend")
        if entries:
            server.run(_guard, entries)
        with (
            friend.run(_socket, FRIEND, 0) as asking,
            friend.run(_socket, STRANGER, 0) as stranger,
            server.run(_socket, SERVER, PORT) as serving,
        ):
            if entries:
                _expect_guarded(asking, stranger, serving)
            asking.connect((SERVER, PORT))
            yield lambda: _round_trips(asking, serving)


def _guard(entries: int) -> None:
    backend = gate()
    held = [*networks(range(entries - 1)), IPv4Network(f"{FRIEND}/32")]
    backend.apply(plan(add=held, repair=backend.read().flaws))


def _socket(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(PATIENCE)
    made.bind((address, port))
    return made


def _expect_guarded(asking: socket.socket, stranger: socket.socket, serving: socket.socket) -> None:
    """Make sure that packets do pass the gate.

    Raises:
        RuntimeError: A stranger's datagram arrived before the friend's, which was sent after it.
    """
    stranger.sendto(b"stranger", (SERVER, PORT))
    asking.sendto(b"friend", (SERVER, PORT))
    if serving.recv(64) != b"friend":
        raise RuntimeError("the gate lets strangers in")


def _round_trips(asking: socket.socket, serving: socket.socket) -> Sample:
    return {Figure.PACKET: median(_batch(asking, serving) for _ in range(BATCHES)) / BATCH}


def _batch(asking: socket.socket, serving: socket.socket) -> float:
    started = time.perf_counter()
    for _ in range(BATCH):
        asking.send(b"knock")
        data, sender = serving.recvfrom(64)
        serving.sendto(data, sender)
        asking.recv(64)
    return time.perf_counter() - started


SCENARIOS = (
    Scenario(
        "packet",
        "a datagram and its answer through a gate with 100,000 entries",
        lambda: gates(100_000, 10),
        (at_most(Figure.PACKET, 1.2, FEW),),
        runs=15,
        root=True,
        programs=("nft",),
    ),
)
