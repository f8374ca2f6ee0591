"""A public client of Jellyfin gets along with the fake, and sees what we wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jellyfin_apiclient_python import JellyfinClient
from jellyfin_apiclient_python.exceptions import HTTPException

from tests.support.jellyfin_targets import FIELDS, FILTER, LAN, PROXIES, held, keep, target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testkit.fake_jellyfin import FakeJellyfin

NETWORK = "System/Configuration/network"
ALICE, BOB = "203.0.113.7/32", "2001:db8:1::/64"


@pytest.fixture
def client(fake: FakeJellyfin) -> Iterator[Any]:
    made = JellyfinClient()
    made.config.app("allowsync tests", "1", "here", "device")
    made.config.http(max_retries=0)
    made.config.data["auth.ssl"] = False
    made.config.data["auth.server"] = fake.url
    made.config.data["auth.token"] = fake.key
    made.http.start_session()
    yield made.jellyfin
    made.http.stop_session()


def test_it_sees_what_we_wrote(fake: FakeJellyfin, client: Any) -> None:
    for setting in (FILTER, LAN, PROXIES):
        keep(target(fake, setting), ALICE, BOB)
    seen = client._get(NETWORK)
    for field in FIELDS.values():
        assert {ALICE, BOB} <= set(seen[field])
    assert seen == fake.settings


def test_what_it_writes_stays(fake: FakeJellyfin, client: Any) -> None:
    keep(target(fake), ALICE)
    settings = client._get(NETWORK)
    settings["RemoteIPFilter"].insert(0, "198.51.100.0/24")
    settings["BaseUrl"] = "/media"
    client._post(NETWORK, json=settings)
    assert held(target(fake).read()) == {ALICE}
    keep(target(fake), BOB)
    seen = client._get(NETWORK)
    assert seen["RemoteIPFilter"][0] == "198.51.100.0/24"
    assert ALICE not in seen["RemoteIPFilter"]
    assert seen["BaseUrl"] == "/media"


def test_the_fake_answers_it_as_a_server_does(fake: FakeJellyfin, client: Any) -> None:
    assert client._get("System/Info")["Version"] == fake.version
    assert client._get("System/Endpoint") == {"IsLocal": True, "IsInNetwork": True}
    client.client.config.data["auth.token"] = "0" * 32
    with pytest.raises(HTTPException) as caught:
        client._get(NETWORK)
    assert caught.value.status == "Unauthorized"
