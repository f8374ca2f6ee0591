"""What the kernel lists of a ruleset can be loaded again, whatever statements it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from allowsync.packetpath import nftables
from tests.support.netns import Namespace

pytestmark = pytest.mark.root

EVERY_KIND = Path(__file__).with_name("expressions.nft").read_text()


def test_each_kind_of_statement_is_loaded_again(as_root: None) -> None:
    with Namespace() as machine, Namespace() as copy, Namespace() as words:
        for one in (machine, copy, words):  # a statement names it
            one.batch("link add eth0 type veth peer name other")
        machine.nft(EVERY_KIND)
        listed = machine.run(nftables.list_ruleset)
        assert copy.run(nftables.load, listed) == []
        assert words.run(nftables.load_for_words, listed) == []
        expected = machine.command("nft", "-s", "list", "ruleset")
        assert words.command("nft", "-s", "list", "ruleset") == expected
        assert len(copy.run(nftables.list_ruleset).rules) == len(listed.rules)


def test_a_list_of_bans_that_time_out_by_themselves_is_loaded_again(as_root: None) -> None:
    bans = "type ipv4_addr; flags interval,timeout; timeout 1h;"
    elements = "elements = { 203.0.113.0/24, 198.51.100.7-198.51.100.9 timeout 2h }"
    with Namespace() as machine, Namespace() as copy:
        machine.nft(f"table inet bans {{\n set bans {{ {bans} {elements}\n }}\n}}\n")
        assert copy.run(nftables.load, machine.run(nftables.list_ruleset)) == []
        expected = machine.command("nft", "-s", "list", "ruleset")
        assert copy.command("nft", "-s", "list", "ruleset") == expected
