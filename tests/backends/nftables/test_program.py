"""The whole program over nftables: two sets that share the families between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace
    from tests.support.program import ProgramResult

pytestmark = pytest.mark.root

ALICE, HOME, HOME6 = "alice.example.org", "81.2.69.1", "2a02:8109:9a40::1"
PAIR = """
table ip filter { set trusted { type ipv4_addr; flags interval; }
  chain input { type filter hook input priority 0; ip saddr @trusted accept; }; }
table ip6 filter { set trusted { type ipv6_addr; flags interval; }
  chain input { type filter hook input priority 0; ip6 saddr @trusted accept; }; }
"""
FOUR = {"nftables": {"name": "four", "set": {"table": "ip filter", "ipv4": "trusted"}}}
SIX = {"nftables": {"name": "six", "set": {"table": "ip6 filter", "ipv6": "trusted"}}}


class Inside(Installation):
    """An installation whose every command runs in a namespace."""

    inside: Namespace

    def __call__(self, command: str, *arguments: str, **options: object) -> ProgramResult:
        return self.inside.run(super().__call__, command, *arguments)


@pytest.fixture
def here(inside: Namespace, tmp_path: Path) -> Iterator[Inside]:
    zones: dict[str, object] = {ALICE: [HOME, HOME6]}
    with inside.run(NameServer, zones) as server:
        installation = Inside(tmp_path, server, hosts={"alice": ALICE})
        installation.inside = inside
        inside.nft(PAIR)
        yield installation


def test_a_set_in_table_ip_and_one_in_table_ip6_are_in_sync_together(here: Inside) -> None:
    here.targets = [FOUR, SIX]
    first, second = here("apply"), here("apply")
    assert [(one.code, one.err) for one in (first, second)] == [(0, "")] * 2
    assert here("status").code == 0
    said = {
        one["target"]: one
        for one in here("explain", "alice", "--output", "json").document["targets"]
    }
    assert [said[name]["allowed"] for name in ("web/four", "web/six")] == ["yes", "yes"]
    assert here("apply", "--only", "web/four").code == 0


def test_a_set_of_one_family_alone_does_not_hold_the_other_and_says_so(here: Inside) -> None:
    here.targets = [FOUR]
    done = here("apply")
    assert done.code == 1
    assert "cannot hold 2a02:8109:9a40::/64" in done.err + done.out
