"""Rules that go by the port a packet comes from are named: those that ask come from others."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.packetpath import Question, ask
from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

PORT: Final = 19132
TABLE: Final = """flush ruleset; table inet f {{ chain c {{
  type filter hook input priority 0;
  {}
}}
}}"""
# Rules of nftables, and what is said of the source ports in them for that port of UDP.
NFTABLES: Final = {
    "udp sport 53 udp dport 1024-65535 accept": "53/udp",
    "udp sport 53 accept": "53/udp",
    "th sport 53 accept": "53",
    "udp sport 53 udp dport >= 1024 accept": "53/udp",
    "udp sport 53 udp dport > 20000 accept": "",
    "udp sport 53 udp dport < 1024 accept": "",
    "udp sport 53 udp dport 19132 accept": "53/udp",
    "udp sport 53 udp dport 19133 accept": "",
    "udp sport 67 udp dport 68 accept": "",
    "tcp sport 20 accept": "",
    "udp sport { 53, 123 } accept": "several/udp",
    "udp dport 19132 accept": "",
}
IPTABLES: Final = {
    "-p udp -m udp --sport 53 --dport 1024:65535": "53/udp",
    "-p udp -m udp --sport 67 --dport 68": "",
    "-p tcp -m tcp --sport 20": "",
    "-p udp -m udp --dport 1024:65535": "",
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    with Namespace() as namespace:
        with_uplink(namespace)
        yield namespace


def told(inside: Namespace) -> str:
    """The source ports that are said not to be asked from."""
    source, server = ip_address("91.64.10.9"), ip_address("193.99.1.80")
    question = Question(source, "udp", PORT, destination=server)
    said = " ".join(inside.run(ask, [question]).machine.caveats)
    return said.partition("source ports that rules name (")[2].partition(")")[0]


def test_what_leaves_is_no_matter(inside: Namespace) -> None:
    inside.nft(TABLE.format("udp sport 19132 accept").replace("input", "output"))
    inside.command("sh", "-ec", "iptables-legacy -A OUTPUT -p udp --sport 19132 -j ACCEPT")
    assert told(inside) == ""


def test_of_nftables_those_are_named_that_are_for_a_port_asked_about(inside: Namespace) -> None:
    for rule, expected in NFTABLES.items():
        inside.nft(TABLE.format(rule))
        assert told(inside) == expected, rule


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_of_iptables_likewise(inside: Namespace, tool: str) -> None:
    for rule, expected in IPTABLES.items():
        inside.command("sh", "-ec", f"{tool} -F INPUT; {tool} -A INPUT {rule} -j ACCEPT")
        assert told(inside) == expected, rule
