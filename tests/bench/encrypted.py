"""The resolving stage over TLS and HTTPS, beside one question after the other."""

from __future__ import annotations

import multiprocessing
import ssl
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from allowsync.dns.client import Resolver
from allowsync.model.answer import Found
from allowsync.model.nameserver import Nameserver, ResolverSettings, Transport
from allowsync.model.types import Family
from testkit.fake_dns.https import MEDIA_TYPE
from tests.bench.questions import queries, right
from tests.bench.resolving import ALL_RIGHT, LATENCY
from tests.bench.scenario import OURS, Figure, Scenario, faster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from allowsync.model.answer import Answer
    from allowsync.model.types import Query
    from testkit.fake_dns.tls import Authority
    from tests.bench.scenario import Sample, Sides

HOME = "127.0.0.1"
ALONE = "one after the other"
# Each question costs the same; more of them would only take longer.
QUESTIONS_ALONE = 20


def ours(asked: list[Query], server: Nameserver) -> Sample:
    """Ask everything; the answers that are not right are counted."""
    resolver = Resolver(ResolverSettings(nameservers=(server,)))
    answers: dict[Query, Answer] = {}
    sample = _timed(lambda: answers.update(resolver.resolve(asked)))
    wrong = sum(not _is_right(one, answers[one]) for one in asked)
    return {**sample, Figure.WRONG: wrong}


def _is_right(query: Query, answer: object) -> bool:
    return isinstance(answer, Found) and answer.addresses == (right(query),)


def alone(asked: list[Query], server: Nameserver) -> Sample:
    """What a script takes that uses dnspython and httpx, worked out from a few questions."""
    part = asked[:QUESTIONS_ALONE]
    sample = _timed(partial(_ask_each, part, server))
    return {figure: value * len(asked) / len(part) for figure, value in sample.items()}


def _ask_each(asked: list[Query], server: Nameserver) -> None:
    for one in asked:
        _ask_alone(one, server)


def _ask_alone(query: Query, server: Nameserver) -> None:
    import dns.message
    import dns.query
    import httpx

    rdtype = "A" if query.family is Family.IPV4 else "AAAA"
    question, context = dns.message.make_query(query.hostname, rdtype), ssl.create_default_context()
    if server.transport is Transport.HTTPS:
        headers = {"Content-Type": MEDIA_TYPE}
        with httpx.Client(http2=True, verify=context) as client:
            client.post(server.url, content=question.to_wire(), headers=headers).raise_for_status()
    else:
        at, port = server.address, server.port
        dns.query.tls(question, at, 10, port, ssl_context=context, server_hostname=HOME)


def _timed(work: Callable[[], object]) -> Sample:
    started, worked = time.perf_counter(), time.process_time()
    work()
    return {
        Figure.WALL: time.perf_counter() - started,
        Figure.PROCESSOR: time.process_time() - worked,
    }


def _serve(authority: Authority, asked: list[Query], told: Connection) -> None:
    """Serve over TLS and over HTTPS until the other side hangs up."""
    from testkit.fake_dns.behaviours import Delay
    from testkit.fake_dns.https import HttpsFront
    from testkit.fake_dns.nameserver import NameServer
    from testkit.fake_dns.tls import TlsFront

    addresses: dict[str, list[str]] = {}
    for one in asked:
        addresses.setdefault(one.hostname, []).append(str(right(one)))
    zones = {name: Delay(LATENCY, found) for name, found in addresses.items()}
    with (
        NameServer(zones) as server,
        TlsFront(server, authority.serves(HOME)) as tls,
        HttpsFront(server, authority.serves(HOME)) as https,
    ):
        told.send({one.transport: one for one in (tls.nameserver, https.nameserver)})
        told.poll(None)


@contextmanager
def encrypted(hosts: int, transport: Transport) -> Iterator[Sides]:
    """A name server in a process of its own, that proves who it is."""
    from testkit.fake_dns.tls import Authority

    fork = multiprocessing.get_context("fork")
    asked = queries(range(hosts))
    here, there = fork.Pipe()
    with TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        process = fork.Process(target=_serve, args=(authority, asked, there), daemon=True)
        process.start()
        server = here.recv()[transport]
        with authority.trusted():
            yield {OURS: partial(ours, asked, server), ALONE: partial(alone, asked, server)}
        process.terminate()
        process.join(10)


SCENARIOS = tuple(
    Scenario(
        f"{name}-{hosts}",
        f"resolve {hosts} hosts over {title}, A and AAAA, 20 ms to the name server",
        partial(encrypted, hosts, transport),
        (faster(4, ALONE), ALL_RIGHT),
    )
    for name, title, transport in (
        ("tls", "TLS", Transport.TLS),
        ("https", "HTTPS (HTTP/2)", Transport.HTTPS),
    )
    for hosts in (10, 100)
)
