"""The resolving stage alone: all questions of a run, beside one lookup after the other."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from allowsync.dns.client import Resolver
from allowsync.model.answer import Found
from allowsync.model.nameserver import Nameserver, ResolverSettings
from tests.bench.nameserver import bound, serving
from tests.bench.questions import ask_one_by_one, queries, right
from tests.bench.scenario import OURS, Figure, Scenario, at_most, faster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allowsync.model.types import Query
    from tests.bench.scenario import Sample, Sides

LATENCY = 0.02
SEQUENTIAL = "one after the other"
ROUND_TRIP = "one round trip"
# One after the other, each host costs the same; more of them would only take longer.
SEQUENTIAL_HOSTS = 20

_numbers = count()


def fresh(hosts: int) -> list[Query]:
    """Questions nobody has asked yet, so that no cache on the way knows the answer."""
    return queries(next(_numbers) for _ in range(hosts))


def ours(hosts: int, *servers: Nameserver) -> Sample:
    """Resolve that many hosts; the answers that are not right are counted."""
    resolver = Resolver(ResolverSettings(nameservers=servers))
    asked = fresh(hosts)
    started = time.perf_counter()
    answers = resolver.resolve(asked)
    seconds = time.perf_counter() - started
    wrong = sum(not _is_right(query, answers[query]) for query in asked)
    return {Figure.WALL: seconds, Figure.WRONG: wrong}


def _is_right(query: Query, answer: object) -> bool:
    return isinstance(answer, Found) and answer.addresses == (right(query),)


def sequential(hosts: int, server: Nameserver) -> Sample:
    """What that many hosts take one after the other, worked out from a few of them."""
    part = min(hosts, SEQUENTIAL_HOSTS)
    asked = fresh(part)
    started = time.perf_counter()
    ask_one_by_one((server.address, server.port), asked)
    return {Figure.WALL: (time.perf_counter() - started) * hosts / part}


@contextmanager
def server(latency: float = LATENCY, loss: float = 0.0) -> Iterator[Nameserver]:
    """A name server in a process of its own."""
    listening = bound()
    port = listening.getsockname()[1]
    with serving(listening, latency, loss):
        yield Nameserver("127.0.0.1", port)


@contextmanager
def direct(hosts: int) -> Iterator[Sides]:
    """The name server itself, beside one lookup after the other and the time of one."""
    with server() as near:
        yield {
            OURS: partial(ours, hosts, near),
            ROUND_TRIP: partial(sequential, 1, near),
            SEQUENTIAL: partial(sequential, hosts, near),
        }


@contextmanager
def lossy(hosts: int) -> Iterator[Sides]:
    """One question in a hundred is lost."""
    with server(loss=0.01) as near:
        yield {OURS: partial(ours, hosts, near)}


@contextmanager
def first_dead(hosts: int) -> Iterator[Sides]:
    """The first of two nameservers takes questions and never answers."""
    with server() as near, bound() as dead:
        first = Nameserver("127.0.0.1", dead.getsockname()[1])
        yield {OURS: partial(ours, hosts, first, near)}


def _timed(work: Callable[[], None]) -> Sample:
    started = time.perf_counter()
    work()
    return {Figure.WALL: time.perf_counter() - started}


ASYNC = "dns.asyncresolver"


@contextmanager
def beside_dnspython(hosts: int) -> Iterator[Sides]:
    """No delay at all: what is left is the work."""
    with server(latency=0.0) as here:
        from tests.bench.dnspython import resolve

        ours(10, here)
        resolve(fresh(10), here)
        yield {
            OURS: partial(ours, hosts, here),
            ASYNC: lambda: _timed(partial(resolve, fresh(hosts), here)),
        }


@contextmanager
def through_dnsmasq(hosts: int) -> Iterator[Sides]:
    """A stock forwarder between us and the name server."""
    from tests.bench.forwarder import dnsmasq

    with server() as upstream, dnsmasq(upstream) as forwarder:
        yield {
            OURS: partial(ours, hosts, forwarder),
            SEQUENTIAL: partial(sequential, hosts, forwarder),
        }


ALL_RIGHT = at_most(Figure.WRONG, 0)

SCENARIOS = (
    Scenario(
        "resolve-10",
        "resolve 10 hosts, A and AAAA, 20 ms to the name server",
        partial(direct, 10),
        (at_most(Figure.WALL, 1.5, ROUND_TRIP), ALL_RIGHT),
        runs=9,
    ),
    Scenario(
        "resolve-100",
        "resolve 100 hosts, 20 ms",
        partial(direct, 100),
        (at_most(Figure.WALL, 2.5, ROUND_TRIP), ALL_RIGHT),
        runs=9,
    ),
    Scenario(
        "resolve-1000",
        "resolve 1,000 hosts, 20 ms",
        partial(direct, 1000),
        (faster(45, SEQUENTIAL), ALL_RIGHT),
    ),
    Scenario(
        "resolve-loss",
        "resolve 100 hosts, 20 ms, 1 % of the questions lost",
        partial(lossy, 100),
        (at_most(Figure.WALL, 300), ALL_RIGHT),
        runs=9,
    ),
    Scenario(
        "resolve-dead",
        "resolve 3 hosts, 20 ms, the first nameserver dead",
        partial(first_dead, 3),
        (at_most(Figure.WALL, 500), ALL_RIGHT),
        runs=9,
    ),
    Scenario(
        "resolve-dnsmasq",
        "resolve 1,000 hosts through a stock dnsmasq, 20 ms behind it",
        partial(through_dnsmasq, 1000),
        (ALL_RIGHT, faster(25, SEQUENTIAL)),
        programs=("dnsmasq",),
    ),
    Scenario(
        "resolve-10000",
        "resolve 10,000 hosts, loopback",
        partial(beside_dnspython, 10_000),
        (faster(1.4, ASYNC), ALL_RIGHT),
        runs=3,
        warmups=0,
        slow=True,
    ),
)
