"""Who is let in after a run, by the rules of each version of Jellyfin."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from testkit.fake_cloudflare.published import IPV4, IPV6
from testkit.fake_jellyfin import FakeJellyfin
from tests.support.jellyfin_api import objections
from tests.support.jellyfin_targets import FILTER, LAN, PROXIES, held, keep, target

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("10.8.13", "10.9.11", "10.10.7", "10.11.6", "12.0.0")
ALICE, BOB, STRANGER, LOCAL = "203.0.113.7", "2001:db8:1::7", "198.51.100.66", "192.168.1.5"


@contextmanager
def serving(version: str, **settings: object) -> Iterator[FakeJellyfin]:
    with FakeJellyfin(version) as fake:
        ipv6 = "EnableIPV6" if version.startswith("10.8") else "EnableIPv6"
        fake.store(**{ipv6: settings.pop("ipv6", True)}, **settings)
        fake.boot()
        yield fake
    assert objections(fake) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_hosts_get_in_and_strangers_do_not(version: str) -> None:
    with serving(version) as fake:
        assert fake.lets_in(STRANGER)
        keep(target(fake), f"{ALICE}/32", "2001:db8:1::/64")
        assert [fake.lets_in(one) for one in (ALICE, BOB, LOCAL, STRANGER)] == [True] * 3 + [False]
        keep(target(fake), "2001:db8:1::/64")
        assert not fake.lets_in(ALICE)


@pytest.mark.parametrize(("version", "ipv6"), [*itertools.product(VERSIONS, (True, False))])
def test_a_filter_without_hosts_lets_in_no_one_from_outside(version: str, ipv6: bool) -> None:
    with serving(version, ipv6=ipv6) as fake:
        keep(target(fake), f"{ALICE}/32")
        keep(target(fake))
        fake.boot()
        assert [fake.lets_in(one) for one in (ALICE, BOB, STRANGER)] == [False] * 3
        assert fake.lets_in(LOCAL)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_filter_of_ipv6_alone_shuts_out_ipv4_even_where_jellyfin_reads_none(version: str) -> None:
    with serving(version, ipv6=False) as fake:
        keep(target(fake), "2001:db8:1::/64")
        fake.boot()
        assert not fake.lets_in(STRANGER)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_lan_stays_local_beside_hosts_that_are_named(version: str) -> None:
    with serving(version, EnableRemoteAccess=False) as fake:
        keep(target(fake, LAN), f"{ALICE}/32")
        assert [fake.lets_in(one) for one in (ALICE, LOCAL, STRANGER)] == [True, True, False]
        keep(target(fake, LAN))
        assert [fake.lets_in(one) for one in (ALICE, LOCAL, STRANGER)] == [False, True, False]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_every_network_of_a_cdn_is_believed_and_no_other(version: str) -> None:
    edge = ("173.245.48.1", "2400:cb00:7::1", "2606:4700::1", "2606:4700:ffff::1")
    with serving(version) as fake:
        keep(target(fake), f"{ALICE}/32")
        assert held(keep(target(fake, PROXIES), *IPV4, *IPV6)) == {*IPV4, *IPV6}
        fake.boot()
        for proxy in edge:
            assert fake.lets_in(ALICE, through=proxy)
            assert not fake.lets_in(STRANGER, through=proxy)
        assert not fake.lets_in(ALICE, through=STRANGER)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_proxies_no_one_is_believed(version: str) -> None:
    """Up to 10.10.6, an empty list makes Jellyfin believe everyone."""
    with serving(version) as fake:
        keep(target(fake), f"{ALICE}/32")
        assert fake.lets_in(ALICE, through=STRANGER) is (version in VERSIONS[:2])
        keep(target(fake, PROXIES), "198.51.100.1/32")
        keep(target(fake, PROXIES))
        fake.boot()
        assert not fake.lets_in(ALICE, through=STRANGER)
        assert not fake.lets_in(ALICE, through="198.51.100.1")


def test_10_8_with_ipv6_is_given_no_network_with_which_it_believes_everyone() -> None:
    with serving("10.8.13") as fake:
        with pytest.raises(BackendError, match=r"10\.8 with IPv6 believes everyone"):
            keep(target(fake, PROXIES), "173.245.48.0/20")
        assert fake.writes == []
        fake.store(KnownProxies=["173.245.48.0/20"])
        fake.boot()
        assert fake.lets_in(LOCAL, through=STRANGER), "no need for it any more"
        keep(target(fake, PROXIES), "198.51.100.1/32")
        fake.store(EnableIPV6=False)
        keep(target(fake, PROXIES), "173.245.48.0/20")


def test_who_is_cleared_leaves_what_was_before() -> None:
    with serving("10.11.6", RemoteIPFilter=["198.51.100.0/24"]) as fake:
        for setting in (FILTER, LAN, PROXIES):
            keep(target(fake, setting), f"{ALICE}/32")
            target(fake, setting).clear()
        fake.boot()
        assert (fake.lets_in(ALICE), fake.lets_in(STRANGER)) == (False, True)
        assert fake.settings["RemoteIPFilter"] == ["198.51.100.0/24"]
        assert fake.settings["KnownProxies"] == fake.settings["LocalNetworkSubnets"] == []
