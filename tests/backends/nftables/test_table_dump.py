"""Which tables there are, as the kernel tells: the same that nft lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.nftables import tool

from allowsync.backend.api import BackendError

if TYPE_CHECKING:
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

FAMILIES = ("arp", "bridge", "inet", "ip", "ip6", "netdev")


def listed(inside: Namespace) -> set[str]:
    lines = inside.command("nft", "list", "tables").splitlines()
    return {line.removeprefix("table ") for line in lines}


def test_tables_of_every_family_are_told_and_those_that_are_switched_off(inside: Namespace) -> None:
    assert inside.run(tool.tables) == set()
    inside.nft("".join(f"add table {family} t_{family}\n" for family in FAMILIES))
    inside.nft("add table inet off { flags dormant; }\n")
    told = inside.run(tool.tables)
    assert told == listed(inside)
    assert len(told) == len(FAMILIES) + 1


def test_more_tables_than_one_datagram_holds(inside: Namespace) -> None:
    inside.nft("".join(f"add table inet t{number:03}{'x' * 200}\n" for number in range(400)))
    told = inside.run(tool.tables)
    assert len(told) == 400
    assert told == listed(inside)


def test_tables_that_never_stay_as_they_are_are_not_told(
    inside: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "_TRIES", 0)
    with pytest.raises(BackendError, match="does not list its nftables: the tables change"):
        inside.run(tool.tables)


def test_a_listing_that_is_none_is_not_believed() -> None:
    for data in (b"\0" * 16, b"\xff" * 32, bytes([15]) + b"\0" * 40):
        with pytest.raises(OSError, match="cannot be understood"):
            list(tool._messages(data))
