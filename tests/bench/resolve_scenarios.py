"""How long resolving takes, scenario by scenario, beside dnspython's own async resolver.

Run with `python -m tests.bench.resolve_scenarios`. The name server is another process that answers
from hand-made bytes after a fixed time, so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import select
import socket
import statistics
import sys
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from allowsync.answers import Found
from allowsync.config.settings import Nameserver, ResolverSettings
from allowsync.model import BOTH_FAMILIES, Query
from allowsync.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCY = 0.02


def serve(listening: socket.socket, latency: float, loss: float) -> None:
    """Answer every A and AAAA question, `latency` seconds later, losing a share of `loss`."""
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
                queue.append((time.monotonic() + latency, answer(wire), peer))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, reply, peer = queue.popleft()
            listening.sendto(reply, peer)


def answer(wire: bytes) -> bytes:
    """A response with one address made from the question's length; EDNS is ignored."""
    end = wire.index(b"\0", 12) + 5
    rdata = b"\xcb\0\x71\x07" if wire[end - 3] == 1 else b"\x20\x01\x0d\xb8" + bytes(11) + b"\x07"
    head = wire[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
    record = b"\xc0\x0c" + wire[end - 4 : end] + b"\0\0\0\x3c" + len(rdata).to_bytes(2, "big")
    return head + wire[12:end] + record + rdata


@contextmanager
def server(latency: float = LATENCY, loss: float = 0.0) -> Iterator[Nameserver]:
    """A name server in a process of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        listening.bind(("127.0.0.1", 0))
        process = multiprocessing.get_context("fork").Process(
            target=serve, args=(listening, latency, loss), daemon=True
        )
        process.start()
        try:
            yield Nameserver("127.0.0.1", listening.getsockname()[1])
        finally:
            process.terminate()
            process.join()


def queries(hosts: int) -> list[Query]:
    return [Query(f"host{i}.example.org", family) for i in range(hosts) for family in BOTH_FAMILIES]


def ours(hosts: int, *servers: Nameserver) -> float:
    """Seconds one resolving of that many hosts takes. Every answer must be right."""
    resolver = Resolver(ResolverSettings(nameservers=servers))
    asked = queries(hosts)
    started = time.perf_counter()
    answers = resolver.resolve(asked)
    seconds = time.perf_counter() - started
    missing = [query for query, answer in answers.items() if not isinstance(answer, Found)]
    if missing:
        print(f"  {len(missing)} of {len(asked)} missing: {answers[missing[0]]}", file=sys.stderr)
    return seconds


def theirs(hosts: int, nameserver: Nameserver) -> float:
    """The same by `dns.asyncresolver`, 100 at a time."""
    import dns.asyncresolver

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [nameserver.address]
    resolver.port = nameserver.port

    async def run() -> None:
        window = asyncio.Semaphore(100)

        async def ask(query: Query) -> None:
            async with window:
                rdtype = "A" if query.family is BOTH_FAMILIES[0] else "AAAA"
                await resolver.resolve(query.hostname + ".", rdtype, search=False)

        await asyncio.gather(*map(ask, queries(hosts)))

    started = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - started


def report(name: str, seconds: list[float], goal: str) -> None:
    low, middle, high = (
        f"{1000 * f:.1f}" for f in (min(seconds), statistics.median(seconds), max(seconds))
    )
    print(f"{name:34} {low:>8} {middle:>8} {high:>8} ms   goal: {goal}")


def main(rounds: int = 7) -> None:
    print(f"{'':34} {'min':>8} {'median':>8} {'max':>8}")
    with server() as near:
        ours(1, near)  # imports are another benchmark's
        for hosts, goal in ((3, "one round trip"), (10, "30"), (100, "50"), (1000, "460")):
            report(f"{hosts} hosts, 20 ms", [ours(hosts, near) for _ in range(rounds)], goal)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
            dead.bind(("127.0.0.1", 0))
            first = Nameserver("127.0.0.1", dead.getsockname()[1])
            for hosts in (3, 1000):
                taken = [ours(hosts, first, near) for _ in range(3)]
                report(f"{hosts} hosts, first nameserver dead", taken, "500 for 3")
    with server(loss=0.01) as lossy:
        report("100 hosts, 20 ms, 1 % loss", [ours(100, lossy) for _ in range(rounds)], "300")
    with server(latency=0.0) as here:
        pairs = [(ours(10_000, here), theirs(10_000, here)) for _ in range(3)]
        report("10,000 hosts, loopback", [pair[0] for pair in pairs], "")
        report("  the same, dns.asyncresolver", [pair[1] for pair in pairs], "")
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"  {ratio:.2f} times faster (goal: 1.4)")


if __name__ == "__main__":
    main()
