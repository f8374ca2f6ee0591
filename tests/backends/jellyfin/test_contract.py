"""The promises of every backend, kept by each of Jellyfin's settings: others have entries there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.jellyfin import TYPE, JellyfinOptions

from allowsync.testing.contract import BackendContract
from testkit.fake_jellyfin import FakeJellyfin
from tests.support.jellyfin_targets import FIELDS, FILTER, LAN, PROXIES, options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network

STRANGERS = [
    "203.0.113.9",
    "198.51.100.0/24",
    "10.1.0.1/32",  # as one of ours will be
    "proxy.lan",
    "!192.168.9.0/24",
    "2001:db8:7::/64",
]


class AtJellyfin(BackendContract):
    type = TYPE
    faults = 5  # that is each of them: a look and a change take four connections
    setting = FILTER

    @pytest.fixture(autouse=True)
    def target(self) -> Iterator[None]:
        with FakeJellyfin() as fake:
            self.fake = fake
            yield

    def options(self) -> JellyfinOptions:
        return options(self.fake, self.setting)

    def plant(self) -> Iterable[Network]:
        field = FIELDS[self.setting]
        self.fake.store(**{field: STRANGERS + self.fake.settings[field], "BaseUrl": "/media"})
        return ()  # an entry of ours for the same network stands beside it

    def foreign(self) -> object:
        field = FIELDS[self.setting]
        others = {name: of for name, of in self.fake.settings.items() if name != field}
        return others, [one for one in self.fake.settings[field] if one in STRANGERS]

    def fingerprint(self) -> object:
        return [(one.path, one.body) for one in self.fake.writes]

    def damage(self) -> bool:
        self.fake.store(**{FIELDS[self.setting]: []})
        return self.setting is not LAN  # an empty one is as good as one with private networks


class TestRemoteFilter(AtJellyfin):
    setting = FILTER


class TestKnownProxies(AtJellyfin):
    setting = PROXIES


class TestLanNetworks(AtJellyfin):
    setting = LAN

    def damage(self) -> bool:
        listed = self.fake.settings["LocalNetworkSubnets"]
        self.fake.store(LocalNetworkSubnets=[one for one in listed if one != "10.0.0.0/8"])
        return True
