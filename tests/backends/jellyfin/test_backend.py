"""What a target at Jellyfin does beyond the contract: block lists, restarts, other settings."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from testkit.fake_jellyfin import FakeJellyfin
from tests.support.jellyfin_api import objections
from tests.support.jellyfin_targets import FIELDS, LAN, PROXIES, held, keep, target

if TYPE_CHECKING:
    from allowsync_backends.jellyfin.options import JellyfinSetting

ALICE, BOB = "203.0.113.7/32", "2001:db8:1::/64"


def test_all_other_settings_stay_as_they_are(fake: FakeJellyfin) -> None:
    fake.store(
        BaseUrl="/media",
        CertificatePassword='secret ü 🍿 \\ "',
        EnableRemoteAccess=True,
        PublicHttpsPort=18920,
        PublishedServerUriBySubnet=["all=https://media.example.org"],
        VirtualInterfaceNames=["veth", "docker"],
    )
    before = dict(fake.settings)
    for setting, field in FIELDS.items():
        keep(target(fake, setting), ALICE, BOB)
        assert {**fake.settings, field: []} == {**before, field: []}
        target(fake, setting).clear()
    assert fake.settings == before


def test_settings_of_a_later_version_stay_as_they_are(fake: FakeJellyfin) -> None:
    fake.known["Later"] = {}
    fake.known["Limits"] = 0
    fake.store(Later={"Deep": [1, None, 0.1, "ü"]}, Limits=2**40)
    keep(target(fake), ALICE)
    assert fake.settings["Later"] == {"Deep": [1, None, 0.1, "ü"]}
    assert fake.settings["Limits"] == 2**40
    fake.calls.clear()  # of a version that the description does not know


def test_what_is_as_it_should_be_is_not_written(fake: FakeJellyfin) -> None:
    keep(target(fake), ALICE)
    writes = len(fake.writes)
    fake.calls.clear()
    keep(target(fake), ALICE)
    assert (writes, len(fake.calls)) == (1, 2)  # two looks, of which a run has one


@pytest.mark.parametrize("listed", [[], ["198.51.100.0/24"]])
def test_a_block_list_is_never_turned_into_an_allowlist(
    fake: FakeJellyfin, listed: list[str]
) -> None:
    fake.store(IsRemoteIPFilterBlacklist=True, RemoteIPFilter=listed)
    with pytest.raises(BackendError, match="is a block list"):
        keep(target(fake), ALICE)
    assert fake.writes == []
    found = target(fake).read()
    assert any("block list" in one for one in found.obstacles)
    keep(target(fake, LAN), ALICE)  # of no concern there


def test_a_filter_that_became_a_block_list_is_said_and_can_be_cleared(fake: FakeJellyfin) -> None:
    keep(target(fake), ALICE)
    fake.store(IsRemoteIPFilterBlacklist=True)
    found = target(fake).read()
    assert held(found) == {ALICE}
    assert set(found.obstacles) <= set(found.flaws) != set()
    with pytest.raises(BackendError, match="is a block list"):
        keep(target(fake), BOB)
    target(fake).clear()
    assert fake.settings["RemoteIPFilter"] == []
    assert fake.settings["IsRemoteIPFilterBlacklist"] is True


def test_a_filter_that_could_shut_out_this_machine_is_not_written(fake: FakeJellyfin) -> None:
    fake.peer = "203.0.113.50"
    with pytest.raises(BackendError, match="not in Jellyfin's LAN networks"):
        keep(target(fake), ALICE)
    assert fake.writes == []
    fake.peer = "192.168.1.9"
    keep(target(fake), ALICE)
    fake.store(LocalNetworkSubnets=["203.0.113.48/29"])
    fake.peer = "203.0.113.50"
    assert held(keep(target(fake), BOB)) == {BOB}


def test_jellyfin_is_restarted_after_a_change_where_that_is_wanted(fake: FakeJellyfin) -> None:
    backend = target(fake, PROXIES, restart=True)
    keep(backend, "198.51.100.1/32")
    assert fake.restarts == 1
    assert fake.rules.believed(ip_network("198.51.100.1").network_address)
    keep(backend, "198.51.100.1/32")
    assert fake.restarts == 1
    assert backend.read().flaws == ()


def test_jellyfin_is_restarted_after_a_clear_too(fake: FakeJellyfin) -> None:
    backend = target(fake, PROXIES, restart=True)
    keep(backend, "198.51.100.1/32")
    backend.clear()
    assert (fake.restarts, fake.rules.forwarding) == (2, False)
    backend.clear()
    assert fake.restarts == 2


def test_entries_that_the_server_writes_otherwise_are_known_again(fake: FakeJellyfin) -> None:
    def normalize() -> None:
        listed = fake.settings["RemoteIPFilter"]
        bare = [one.removesuffix("/32").removesuffix("/128") for one in listed]
        fake.settings = {**fake.settings, "RemoteIPFilter": bare}

    fake.after_write = normalize
    assert held(keep(target(fake), ALICE, BOB)) == {ALICE, BOB}
    assert keep(target(fake), ALICE, BOB).flaws == ()
    assert len(fake.writes) == 1


def test_jellyfin_is_not_restarted_where_that_is_not_said(fake: FakeJellyfin) -> None:
    for setting in FIELDS:
        keep(target(fake, setting), "198.51.100.1/32")
    assert fake.restarts == 0


def test_a_restart_that_was_missed_is_made_by_the_next_run(fake: FakeJellyfin) -> None:

    backend = target(fake, PROXIES, restart=True)
    fake.slow_starts = 10**6  # it never comes back in time
    with pytest.raises(BackendError, match="is not there again within 120 s"):
        keep(backend, "198.51.100.1/32")
    fake.slow_starts = 2
    fake.go_down(0)
    found = backend.read()
    assert held(found) == {"198.51.100.1/32"}
    assert found.flaws == ("Jellyfin has not been restarted since its known proxies were changed",)
    assert keep(backend, "198.51.100.1/32").flaws == ()
    assert fake.restarts == 2


def test_a_server_that_does_not_restart_is_said(fake: FakeJellyfin) -> None:
    fake.slow_starts = 0
    with pytest.raises(BackendError, match="did not restart within 120 s"):
        keep(target(fake, PROXIES, restart=True), "198.51.100.1/32")
    assert target(fake, PROXIES).read().flaws != ()


def test_it_is_under_a_base_url_and_of_any_version() -> None:
    for version in ("10.8.13", "10.9.11", "12.0.0"):
        with FakeJellyfin(version, base="/media") as fake:
            for setting in FIELDS:
                assert held(keep(target(fake, setting), ALICE)) == {ALICE}
        assert objections(fake) == []


@pytest.mark.parametrize("setting", list(FIELDS))
def test_a_list_that_is_not_there_is_never_an_empty_one(
    fake: FakeJellyfin, setting: JellyfinSetting
) -> None:
    fake.store(**{FIELDS[setting]: None})  # left out of the answer
    with pytest.raises(BackendError, match=f"no list {FIELDS[setting]}"):
        target(fake, setting).read()
    with pytest.raises(BackendError, match=f"no list {FIELDS[setting]}"):
        target(fake, setting).apply(Plan("x", add=(Entry(ip_network(ALICE)),)))
    fake.calls.clear()  # the description has no such answer


def test_the_whole_document_is_sent(fake: FakeJellyfin) -> None:
    keep(target(fake), ALICE)
    (write,) = fake.writes
    assert json.loads(write.body).keys() == fake.settings.keys()
