"""The promises of every backend, kept by the real firewalld."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.firewalld_bus import RUNTIME

from allowsync.testing.contract import BackendContract
from tests.support.firewalld import Firewalld, backend, empty_sets
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network

THEIRS = "theirs"
STRANGERS = (
    f'rule family="ipv4" source ipset="{THEIRS}" port port="443" protocol="tcp" accept',
    'rule family="ipv4" source address="90.0.0.77" port port="443" protocol="tcp" accept',
    'rule family="ipv6" source address="2a02::77" drop',
)


class TestFirewalld(BackendContract):
    """With sets that were loaded once, which only a reload does."""

    firewalld: Firewalld
    most = 1000  # ten times as many take it seconds

    @pytest.fixture(autouse=True)
    def target(self, running: Firewalld) -> None:
        theirs = {THEIRS: '<ipset type="hash:net"/>'}
        running.forget(**theirs, **empty_sets("x"), **empty_sets("x2"))
        self.firewalld = running

    def make(self) -> Backend:
        return Within(self.firewalld.inside, backend(reload=False))

    def neighbour(self) -> Backend:
        return Within(self.firewalld.inside, backend(allowlist="x2", reload=False))

    def fingerprint(self) -> object:
        rules = self.firewalld.inside.command("nft", "list", "table", "inet", "firewalld")
        return rules, self.firewalld.files()

    def plant(self) -> Iterable[Network]:
        self.firewalld.change(RUNTIME, "ipset", "addEntry", "ss", THEIRS, "90.0.0.78")
        for rule in STRANGERS:
            self.firewalld.add_rule(rule, keep=rule != STRANGERS[1])
        return ()

    def foreign(self) -> object:
        """All rules of the zone and all sets, but those of ours."""
        now, later = self.firewalld.rules()
        entries = self.firewalld.ask(RUNTIME, "ipset", "getEntries", THEIRS, gives="as")
        files = [one for one in self.firewalld.files() if "allowsync-x-" not in one]
        rules = [[one for one in some if '"allowsync-x-' not in one] for some in (now, later)]
        return rules, entries, files

    def damage(self) -> bool:
        now, _ = self.firewalld.rules()
        self.firewalld.remove_rule(next(one for one in now if "allowsync-x-4" in one))
        return True
