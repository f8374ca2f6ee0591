"""The promises of every backend, kept by a list at Cloudflare: shared with others, or its own."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare import CloudflareOptions
from allowsync_backends.cloudflare.backend import CloudflareBackend

from allowsync.config.secrets import KeptSecret, Secret
from allowsync.testing.contract import BackendContract
from testkit.fake_cloudflare import AccountPlan
from tests.support.cloudflare_client import Hours

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network
    from testkit.fake_cloudflare import FakeCloudflare

STRANGERS = {
    "203.0.113.9": "by hand",
    "198.51.100.0/24": None,
    "2001:db8:7::/64": "allowsync:jellyfin2::alice",
    "2001:db8:8::/64": "allowsync:jellyfin:attic:alice",
}
UNMARKED = ("203.0.113.9", "198.51.100.0/24")


class AtCloudflare(BackendContract):
    exclusive = False

    @pytest.fixture(autouse=True)
    def target(self, fake: FakeCloudflare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
        fake.cloud.accounts[fake.account].plan = AccountPlan.PRO
        self.fake = fake

    def make(self) -> Backend:
        return self.backend("jellyfin")

    def neighbour(self) -> Backend | None:
        return None if self.exclusive else self.backend("jellyfin2")

    def backend(self, allowlist: str) -> Backend:
        options = CloudflareOptions(
            self.fake.account,
            "friends",
            api_token_file=KeptSecret("/token", Secret(self.fake.token)),
            exclusive=self.exclusive,
            api_url=self.fake.url,
        )
        # Pauses between attempts take no time.
        return CloudflareBackend(allowlist, options, Hours().clock)

    def plant(self) -> Iterable[Network]:
        self.fake.add_list("others", STRANGERS)
        return ()

    def foreign(self) -> object:
        return self.fake.items("others") if "others" in self.fake.lists else None

    def damage(self) -> bool:
        del self.fake.cloud.accounts[self.fake.account].lists[self.fake.lists["friends"].id]
        return True

    def fingerprint(self) -> object:
        return [(one.name, one.body) for one in self.fake.writes]


class TestShared(AtCloudflare):
    """Others have items in the same list, other allowlists and other machines among them."""

    def plant(self) -> Iterable[Network]:
        super().plant()
        if "friends" not in self.fake.lists:
            self.fake.add_list("friends")
        for address, comment in STRANGERS.items():
            self.fake.plant("friends", address, comment)
        # Items of other allowlists can be ours as well, so they are in no one's way.
        return map(ip_network, UNMARKED)

    def foreign(self) -> object:
        if "friends" not in self.fake.lists:
            return super().foreign()
        held = self.fake.lists["friends"].items
        mine = {one: (held[one].id, held[one].comment) for one in STRANGERS if one in held}
        return super().foreign(), mine


class TestExclusive(AtCloudflare):
    exclusive = True
