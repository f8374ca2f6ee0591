"""A real forwarder between us and the name server, as most homes and many servers have one."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.message
import dns.query

from allowsync.dns.client import Resolver
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.nameserver import Nameserver
from allowsync.model.types import BOTH_FAMILIES, Family, Query
from testkit.fake_dns.nameserver import NameServer
from tests.allowsync.dns.asking import ALICE, BOTH, IPV4, ask, settings
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def dnsmasq(upstream: NameServer, *options: str) -> Iterator[Nameserver]:
    """A stock dnsmasq on loopback that forwards to `upstream`."""
    port = unused_port()
    process = subprocess.Popen(
        [
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-hosts",
            "--no-resolv", f"--server=127.0.0.1#{upstream.port}", f"--port={port}",
            "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--log-facility=-",
            *options,
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port)
        yield Nameserver("127.0.0.1", port)
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int) -> None:
    """Until it listens; dnsmasq binds UDP before TCP."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with socket.socket() as tcp:
            if tcp.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(port)


def test_an_address_behind_a_forwarder_is_found() -> None:
    with NameServer({ALICE: BOTH}) as upstream, dnsmasq(upstream) as forwarder:
        for _ in range(2):  # forwarded, then from its cache
            assert ask(settings(forwarder)) == Found((ip_address(IPV4),), 60)


def test_a_negative_from_a_forwarders_cache_counts_only_with_its_proof() -> None:
    # 2.90 keeps the SOA in its cache; older ones answer without.
    with NameServer({ALICE: [IPV4]}) as upstream, dnsmasq(upstream) as forwarder:
        using = settings(forwarder)
        assert ask(using, ALICE, Family.IPV6) == Absent("NODATA")
        proven = has_soa(forwarder)
        expected = Absent("NODATA") if proven else Unavailable("NODATA without SOA: not proven")
        assert ask(using, ALICE, Family.IPV6) == expected


def has_soa(forwarder: Nameserver) -> bool:
    query = dns.message.make_query(ALICE, "AAAA", use_edns=False)
    return bool(dns.query.udp(query, forwarder.address, 5, forwarder.port).authority)


def test_what_a_forwarder_filters_or_makes_up_is_not_proven() -> None:
    with (
        NameServer({ALICE: BOTH}) as upstream,
        dnsmasq(upstream, "--filter-AAAA", "--local=/blocked.example.org/") as forwarder,
    ):
        using = settings(forwarder)
        assert ask(using, ALICE, Family.IPV4) == Found((ip_address(IPV4),), 60)
        assert ask(using, ALICE, Family.IPV6) == Unavailable("NODATA without SOA: not proven")
        blocked = ask(using, "blocked.example.org")
        assert blocked == Unavailable("NXDOMAIN without SOA: not proven")


def test_a_stock_forwarder_is_never_asked_more_than_it_takes() -> None:
    names = [f"host{i}.example.org" for i in range(300)]
    queries = [Query(name, family) for name in names for family in BOTH_FAMILIES]
    with NameServer({"*": BOTH}) as upstream, dnsmasq(upstream) as forwarder:
        answers = Resolver(settings(forwarder)).resolve(queries)
    assert all(isinstance(answer, Found) for answer in answers.values())
