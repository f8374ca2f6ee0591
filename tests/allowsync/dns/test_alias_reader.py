"""The process that reads aliases: it waits with its rights, and has none while it reads."""

from __future__ import annotations

import os
import signal
from ipaddress import ip_address
from pathlib import Path

import pytest

from allowsync.dns.alias_reader import AliasReader, serve
from allowsync.dns.aliases import chain_end
from allowsync.dns.process import ResolverProcess
from allowsync.model.answer import Found, Unavailable
from allowsync.model.types import Family, Query
from allowsync.system.fork import Fork
from allowsync.system.sandbox import NUMBER
from testkit.fake_dns.nameserver import CNAME, NameServer
from tests.allowsync.dns.asking import ALICE, IPV4, children, settings
from tests.allowsync.dns.test_aliases import ALIASED, NAME, message

QUERY = Query(ALICE, Family.IPV4)
ALIAS = {ALICE: CNAME("carol.example.net"), "carol.example.net": [IPV4]}


def status_of(pid: str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def test_it_reads_chains_as_they_are_read_here() -> None:
    chains = [ALIASED, (f"{NAME}. 1 IN CNAME {NAME}.",), ALIASED]
    wires = [message(*chain).to_wire() for chain in chains]
    process = Fork(serve)
    try:
        reader = AliasReader(process.source, process.sink)
        assert [reader.chain_end(wire) for wire in wires] == list(map(chain_end, wires))
    finally:
        process.end()


@pytest.mark.usefixtures("as_root")
def test_it_gives_up_its_rights_before_it_reads() -> None:
    with NameServer(ALIAS) as server, ResolverProcess() as resolver:
        resolver.use(settings(server))
        assert resolver([QUERY]) == {QUERY: Found((ip_address(IPV4),), 60)}
        reading = children()[-2]
        status = status_of(reading)
        assert status["Uid"].split() == [str(NUMBER)] * 4
        assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    assert not Path(f"/proc/{reading}").exists()


def test_without_it_an_alias_leads_nowhere_and_other_answers_count() -> None:
    bob = Query("bob.example.org", Family.IPV4)
    with NameServer({**ALIAS, "bob.example.org": [IPV4]}) as server, ResolverProcess() as resolver:
        resolver.use(settings(server))
        assert isinstance(resolver([bob])[bob], Found)
        reading = children()[-2]
        os.kill(int(reading), signal.SIGKILL)
        answers = resolver([QUERY, bob])
        assert isinstance(answers[bob], Found)
        lost = answers[QUERY]
        assert isinstance(lost, Unavailable)
        assert "aliases cannot be read" in lost.reason
