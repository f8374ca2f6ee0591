"""The options of an nftables target, read as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.nftables import TYPE, NftablesOptions
from allowsync_backends.nftables.gate_backend import NftGateBackend
from allowsync_backends.nftables.options import SharedSets
from allowsync_backends.nftables.sets_backend import NftSetsBackend

from allowsync.config.schema.context import INVALID, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import Object
from allowsync.model.target import Placement

KIND = Object(NftablesOptions)


def read(**written: Any) -> tuple[NftablesOptions | None, list[str]]:
    reading = Reading(Path("/etc/allowsync/config.yaml"), uid=0)
    found = KIND.parse(from_plain(written), "nftables", reading)
    return None if found is INVALID else found, [one.what for one in reading.problems]


def test_ports_make_a_gate() -> None:
    options, problems = read(ports=["443/tcp", "8000-8010/udp"], open_interfaces=["wg0", "docker*"])
    assert problems == []
    assert options == NftablesOptions(
        (Port(443, 443, Protocol.TCP), Port(8000, 8010, Protocol.UDP)), ("wg0", "docker*")
    )
    assert isinstance(TYPE.make(Placement("x", "x/nftables"), options), NftGateBackend)
    assert KIND.show(options)["ports"] == ["443/tcp", "8000-8010/udp"]


def test_only_loopback_is_open_unless_more_is_written() -> None:
    options, _ = read(ports=["443/tcp"])
    assert options is not None
    assert options.open_interfaces == ("lo",)


def test_sets_make_a_backend_that_fills_them() -> None:
    options, problems = read(set={"table": "inet filter", "ipv6": "trusted6"})
    assert problems == []
    assert options == NftablesOptions(set=SharedSets("inet filter", ipv6="trusted6"))
    assert isinstance(TYPE.make(Placement("x", "x/nftables"), options), NftSetsBackend)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({}, "needs ports"),
        ({"ports": []}, "needs ports"),
        ({"ports": ["443/sctp"]}, "a port such as 443, 443/udp"),
        ({"ports": ["0/tcp"]}, "a port such as 443, 443/udp"),
        ({"ports": ["65536/tcp"]}, "a port such as 443, 443/udp"),
        ({"ports": ["90-80/tcp"]}, "a port such as 443, 443/udp"),
        ({"ports": ["443/tcp; accept"]}, "a port such as 443, 443/udp"),
        ({"ports": ["443/tcp", "443/tcp"]}, "duplicate"),
        ({"ports": ["443/tcp"], "open_interfaces": ["*"]}, "an interface"),
        ({"ports": ["443/tcp"], "open_interfaces": ['lo" accept']}, "an interface"),
        ({"ports": ["443/tcp"], "open_interfaces": ["a" * 16]}, "15"),
        ({"ports": ["443/tcp"], "set": {"table": "ip f", "ipv4": "s"}}, "not both"),
        ({"set": {"table": "ip f"}}, "needs ipv4 or ipv6"),
        ({"set": {"table": "ip f", "ipv4": "s", "ipv6": "s"}}, "both families"),
        ({"set": {"table": "filter", "ipv4": "s"}}, "a table such as"),
        ({"set": {"table": "ip f; flush ruleset", "ipv4": "s"}}, "a table such as"),
        ({"set": {"table": "ip f", "ipv4": "s }"}}, "the name of a set"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_a_problem(written: dict[str, Any], problem: str) -> None:
    options, (what,) = read(**written)
    assert options is None
    assert problem in what
