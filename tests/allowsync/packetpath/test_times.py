"""Rules that hold at some times are named, where they are about what is asked."""

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

QUESTION: Final = Question(ip_address("203.0.113.7"), "tcp", 8096)
BY_NFT: Final = """nft -f - <<-END
table inet t {{
 chain i {{
  type filter hook input priority 0
  {rule}
 }}
}}
END"""
BY_IPTABLES: Final = "{tool} -A INPUT {rule} -m time --timestart 22:00 --timestop 06:00 -j DROP"
NAMED: Final = {
    BY_NFT.format(rule='tcp dport 8000-8100 meta hour "22:00"-"06:00" drop'): "inet t i",
    BY_NFT.format(rule='tcp dport 8096 meta day "Sunday" drop'): "inet t i",
    BY_NFT.format(rule='meta time < "2035-01-01" drop'): "inet t i",
    BY_NFT.format(rule='tcp dport 22 meta hour "22:00"-"06:00" drop'): "",
    BY_NFT.format(rule='udp dport 8096 meta hour "22:00"-"06:00" drop'): "",
    BY_NFT.format(rule="tcp dport 8096 accept"): "",
    BY_IPTABLES.format(tool="iptables-nft", rule="-p tcp --dport 8096"): "ip filter INPUT",
    BY_IPTABLES.format(tool="iptables-nft", rule="-p tcp --dport 22"): "",
    BY_IPTABLES.format(tool="iptables-legacy", rule="-p tcp --dport 8096"): "INPUT",
    BY_IPTABLES.format(tool="iptables-legacy", rule="-s 198.51.100.7"): "INPUT",
    BY_IPTABLES.format(tool="iptables-legacy", rule="-p tcp --dport 22"): "",
    BY_IPTABLES.format(tool="iptables-legacy", rule="-p udp --dport 8096"): "",
}


@pytest.fixture
def machine(as_root: None) -> Iterator[Namespace]:
    """A machine with an uplink."""
    with Namespace() as inside:
        with_uplink(inside)
        yield inside


@pytest.mark.parametrize(("rules", "chain"), NAMED.items(), ids=range(len(NAMED)))
def test_rules_for_other_times_are_named(machine: Namespace, rules: str, chain: str) -> None:
    machine.command("sh", "-ec", rules)
    said = (f"other times than now, by which rules go ({chain})",) if chain else ()
    assert machine.run(ask, [QUESTION]).machine.caveats == said
