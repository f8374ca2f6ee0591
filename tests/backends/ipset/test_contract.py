"""The promises of every backend, kept by real ipset and iptables, both kinds of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import pytest
from allowsync_backends.ipset.options import Variant

from allowsync.testing.contract import BackendContract
from tests.support.ipsets import bare_sets, ipset_deny_gate, ipset_gate, rules, sets
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network
    from tests.support.netns import Namespace

FOREIGN_SETS = """\
create allowsync-y-4 hash:net family inet
add allowsync-y-4 1.2.3.0/24
create mine hash:ip family inet6 comment timeout 0
add mine 2620:fe::fe comment "allowsync x"
"""
FOREIGN_RULES = """\
*mangle
:allowsync-y - [0:0]
:mine - [0:0]
-A PREROUTING -j allowsync-y
-A PREROUTING -p tcp -m tcp --dport 22 -m comment --comment "somebody's; not ours" -j mine
-A allowsync-y -p tcp -m tcp --dport 22 -j DROP
-A mine -j MARK --set-mark 7
COMMIT
"""


class InIptables(BackendContract):
    """The target is a namespace of its own."""

    variant: ClassVar[Variant]
    inside: Namespace

    @pytest.fixture(autouse=True)
    def target(self, inside: Namespace) -> None:
        self.inside = inside

    def plant(self) -> Iterable[Network]:
        self.inside.command("ipset", "restore", stdin=FOREIGN_SETS)
        for program in ("iptables", "ip6tables"):
            name = f"{program}-{self.variant.value}-restore"
            self.inside.command(name, "-w", "10", "-n", stdin=FOREIGN_RULES)
        return ()

    def foreign(self) -> object:
        lines = rules(self.inside, self.variant).splitlines()
        theirs = [line for line in lines if not re.search("allowsync[-_]x", line)]
        return theirs, [line for line in sets(self.inside) if "allowsync-x-" not in line]

    def fingerprint(self) -> object:
        """Everything, with the random numbers that a set is given when it is created."""
        return self.inside.command("ipset", "save"), rules(self.inside, self.variant)


class GateContract(InIptables):
    def make(self) -> Backend:
        return Within(self.inside, ipset_gate(variant=self.variant))

    def neighbour(self) -> Backend:
        return Within(self.inside, ipset_gate(variant=self.variant, allowlist="x2"))

    def damage(self) -> bool:
        for program in ("iptables", "ip6tables"):
            self.inside.command(f"{program}-{self.variant.value}", "-w", "-t", "mangle", "-F")
        self.inside.command("ipset", "destroy")
        return True

    def vanish(self) -> bool:
        return self.damage()


@pytest.mark.root
class TestGateOfNft(GateContract):
    variant = Variant.NFT


@pytest.mark.root
class TestGateOfLegacy(GateContract):
    variant = Variant.LEGACY


@pytest.mark.root
class TestDenyGate(GateContract):
    """The same sets, of a denylist."""

    variant = Variant.NFT

    def make(self) -> Backend:
        return Within(self.inside, ipset_deny_gate(variant=self.variant))

    def neighbour(self) -> Backend:
        return Within(self.inside, ipset_deny_gate(variant=self.variant, allowlist="x2"))


@pytest.mark.root
class TestBareSets(InIptables):
    variant = Variant.NFT

    def make(self) -> Backend:
        return Within(self.inside, bare_sets(variant=self.variant))

    def neighbour(self) -> Backend:
        return Within(self.inside, bare_sets(variant=self.variant, allowlist="x2"))

    def damage(self) -> bool:
        self.inside.command("ipset", "destroy", "allowsync-x-4")
        self.inside.command("ipset", "create", "allowsync-x-4", "hash:ip")
        return True

    def vanish(self) -> bool:
        self.inside.command("ipset", "destroy", "allowsync-x-4")
        return True


@pytest.mark.root
class TestSwappedSets(TestBareSets):
    """Somebody puts a set whose entries vanish in the place of ours."""

    def damage(self) -> bool:
        swapped = "create other hash:net timeout 60\nswap other allowsync-x-4\n"
        self.inside.command("ipset", "restore", stdin=swapped)
        return True
