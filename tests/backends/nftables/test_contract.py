"""The promises of every backend, kept by real nftables."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from allowsync_backends.nftables import TYPE, NftablesOptions
from allowsync_backends.nftables.options import SharedSets

from allowsync.model.target import Placement
from allowsync.model.types import Family
from allowsync.testing.contract import BackendContract
from tests.support.gates import deny_gate, gate
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network
    from tests.support.netns import Namespace

FOREIGN = """
table inet allowsync_y {
    set ipv4 { type ipv4_addr; flags interval; elements = { 1.2.3.0/24 }; }
}
table ip mine {
    set trusted { type ipv4_addr; elements = { 90.0.0.1, 90.0.0.2 comment "allowsync:y" }; }
    chain input { type filter hook input priority 0; policy drop; ip saddr @trusted accept; }
}
"""

SETS = """
table inet filter {
    set trusted4 { type ipv4_addr; %s }
    set trusted6 { type ipv6_addr; %s }
    chain input {
        type filter hook input priority 0; policy drop;
        ip saddr @trusted4 accept
        ip6 saddr @trusted6 accept
    }
}
"""
STRANGERS = """
add element inet filter trusted4 { 8.8.8.8, 9.9.9.9 comment "hand", 1.1.1.1 comment "allowsync:y" }
add element inet filter trusted6 { 2620:fe::fe comment "allowsync" }
"""


class InNftables(BackendContract):
    """The target is a namespace of its own."""

    inside: Namespace

    @pytest.fixture(autouse=True)
    def target(self, inside: Namespace) -> None:
        self.inside = inside
        self.prepare()

    def prepare(self) -> None:
        """Put there what the target needs."""

    def fingerprint(self) -> object:
        """Everything, with the handles that any write would change."""
        return self.inside.command("nft", "-a", "list", "ruleset")


@pytest.mark.root
class TestGate(InNftables):
    def make(self) -> Backend:
        return Within(self.inside, gate())

    def neighbour(self) -> Backend:
        return Within(self.inside, gate(allowlist="x2"))

    def plant(self) -> Iterable[Network]:
        self.inside.nft(FOREIGN)
        return ()

    def foreign(self) -> object:
        listed = "\n" + self.inside.command("nft", "-a", "list", "ruleset")
        tables = [table.strip() for table in listed.split("\ntable ")]
        return [table for table in tables if "allowsync_x" not in table.split(" {")[0]]

    def damage(self) -> bool:
        self.inside.nft("flush ruleset\n")
        return True

    def vanish(self) -> bool:
        return self.damage()


@pytest.mark.root
class TestDenyGate(TestGate):
    """The same table, of a denylist."""

    def make(self) -> Backend:
        return Within(self.inside, deny_gate())

    def neighbour(self) -> Backend:
        return Within(self.inside, deny_gate(allowlist="x2"))


class SharedSetsContract(InNftables):
    flags: ClassVar[str]

    def prepare(self) -> None:
        self.inside.nft(SETS % (self.flags, self.flags))

    def make(self) -> Backend:
        return self.backend("x")

    def neighbour(self) -> Backend:
        return self.backend("x2")

    def backend(self, allowlist: str) -> Backend:
        sets = SharedSets(table="inet filter", ipv4="trusted4", ipv6="trusted6")
        placement = Placement(allowlist, f"{allowlist}/nftables")
        made = TYPE.make(placement, NftablesOptions(set=sets))
        return Within(self.inside, made)

    def vanish(self) -> bool:
        self.inside.nft("flush table inet filter\ndelete set inet filter trusted4\n")
        return True

    def plant(self) -> Iterable[Network]:
        self.inside.nft(STRANGERS)
        return map(ip_network, ("8.8.8.8", "9.9.9.9", "1.1.1.1", "2620:fe::fe"))

    def foreign(self) -> object:
        """Every element but ours, and every rule."""
        listed = json.loads(self.inside.command("nft", "-j", "list", "ruleset"))["nftables"]
        return [_without_ours(one) for one in listed]


@pytest.mark.root
class TestIntervalSets(SharedSetsContract):
    flags = "flags interval;"

    def damage(self) -> bool:
        self.inside.nft(
            'add element inet filter trusted4 { 7.7.7.1-7.7.7.9 comment "allowsync:x" }\n'
        )
        return True


@pytest.mark.root
class TestHashSets(SharedSetsContract):
    flags = ""

    def test_only_whole_addresses_fit(self) -> None:
        prefixes = {Family.IPV4: (32, 32), Family.IPV6: (128, 128)}
        assert self.make().capabilities.prefixes == prefixes


@pytest.mark.root
class TestSetsWithTimeouts(SharedSetsContract):
    flags = "flags interval,timeout;"

    def plant_temporary(self) -> Network:
        planted = "add element inet filter trusted4 { 81.2.69.4/30 timeout 1h expires 30m }\n"
        self.inside.nft(planted)
        return ip_network("81.2.69.4/30")

    def times_left(self) -> Iterable[float]:
        found = self.inside.command("nft", "-j", "list", "set", "inet", "filter", "trusted4")
        (_, listed) = json.loads(found)["nftables"]
        elements = [one["elem"] for one in listed["set"]["elem"] if "elem" in one]
        return [one["expires"] for one in elements if "expires" in one]

    def damage(self) -> bool:
        self.inside.nft(
            'add element inet filter trusted4 { 7.7.7.7 timeout 1h comment "allowsync:x" }\n'
        )
        return True


def _without_ours(one: dict[str, Any]) -> dict[str, Any]:
    if "set" not in one:
        return one
    elements = [element for element in one["set"].pop("elem", []) if not _is_ours(element)]
    return {"set": one["set"], "elements": elements}


def _is_ours(element: Any) -> bool:
    return isinstance(element, dict) and element.get("elem", {}).get("comment") == "allowsync:x"
