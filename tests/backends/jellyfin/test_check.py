"""What `check` says of a setting of Jellyfin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.jellyfin.backend import JellyfinBackend

from allowsync.model.target import Severity
from testkit.fake_jellyfin import FakeJellyfin, JellyfinFault
from tests.support.jellyfin_targets import FIELDS, FILTER, LAN, PROXIES, keep, options, target

if TYPE_CHECKING:
    from allowsync_backends.jellyfin.options import JellyfinSetting

ALICE = "203.0.113.7/32"
ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def said(backend: JellyfinBackend) -> dict[str, Severity]:
    """What was found, with how much it matters; each with its advice behind it."""
    return {f"{one.what}; {one.advice}": one.severity for one in backend.check()}


def severity(found: dict[str, Severity], part: str) -> Severity | None:
    """How much matters what is said so; None where it is not said."""
    return next((how for what, how in found.items() if part in what), None)


def sessions(*addresses: str) -> list[dict[str, object]]:
    return [{"DeviceId": f"{n}", "RemoteEndPoint": one} for n, one in enumerate(addresses)]


def test_there_is_nothing_to_say_of_what_is_as_it_should_be(fake: FakeJellyfin) -> None:
    fake.sessions = sessions("192.168.1.5", "203.0.113.7")
    for setting in (FILTER, LAN):
        keep(target(fake, setting), ALICE)
        assert said(target(fake, setting)) == {}
    keep(target(fake, PROXIES, restart=True), ALICE)
    assert said(target(fake, PROXIES, restart=True)) == {}


@pytest.mark.parametrize("setting", [FILTER, PROXIES])
def test_a_target_that_was_never_applied_is_a_warning(
    fake: FakeJellyfin, setting: JellyfinSetting
) -> None:
    assert severity(said(target(fake, setting)), "the next 'allowsync apply'") is WARNING


def test_a_block_list_is_an_error(fake: FakeJellyfin) -> None:
    keep(target(fake), ALICE)
    fake.store(IsRemoteIPFilterBlacklist=True)
    assert severity(said(target(fake)), "is a block list") is ERROR


def test_a_filter_without_remote_access_is_an_error(fake: FakeJellyfin) -> None:
    keep(target(fake), ALICE)
    fake.store(EnableRemoteAccess=False)
    assert severity(said(target(fake)), "remote access is off") is ERROR
    assert severity(said(target(fake, LAN)), "remote access is off") is None


@pytest.mark.parametrize(
    ("network", "expected"),
    [("0.0.0.0/0", ERROR), ("::/0", ERROR), ("64.0.0.0/7", ERROR), ("10.0.0.0/8", None)],
)
def test_a_lan_of_strangers_is_an_error(
    fake: FakeJellyfin, network: str, expected: Severity | None
) -> None:
    fake.store(LocalNetworkSubnets=["127.0.0.0/8", network])
    for setting in (FILTER, LAN):
        keep(target(fake, setting), ALICE)
        assert severity(said(target(fake, setting)), "everyone in it gets in") is expected


@pytest.mark.parametrize(
    ("seen", "proxies", "advice"),
    [
        (("172.18.0.1", "172.18.0.1"), [], "add it to Jellyfin's known proxies"),
        (("172.18.0.1:4711", "[::ffff:172.18.0.1]:80"), [], "add it to Jellyfin's known proxies"),
        (("172.18.0.1", "172.18.0.1"), ["172.18.0.0/16"], "restart Jellyfin"),
        (("172.18.0.1", "203.0.113.7"), [], None),
        (("203.0.113.7", "203.0.113.7"), [], None),  # two devices behind one router
        (("172.18.0.1",), [], None),
        (("nowhere", "nowhere"), [], None),
        ((), [], None),
    ],
)
def test_a_proxy_that_every_client_looks_like_is_a_warning(
    fake: FakeJellyfin, seen: tuple[str, ...], proxies: list[str], advice: str | None
) -> None:
    fake.store(KnownProxies=proxies)
    keep(target(fake), ALICE)
    fake.sessions = sessions(*seen)
    found = said(target(fake))
    assert severity(found, "for the address of every client") is (WARNING if advice else None)
    assert severity(found, advice or "is that a proxy?") is (WARNING if advice else None)


def test_known_proxies_take_effect_at_a_start(fake: FakeJellyfin) -> None:
    keep(target(fake, PROXIES), "172.18.0.0/16", "2001:db8::/48")
    found = said(target(fake, PROXIES))
    assert severity(found, "reads its known proxies only when it starts") is INFO
    assert severity(found, "IPv6 is off in Jellyfin") is INFO
    fake.sessions = sessions("172.18.0.1", "172.18.0.1")
    found = said(target(fake, PROXIES))
    assert severity(found, "172.18.0.1 is a known proxy, but") is WARNING
    fake.store(EnableIPv6=True)
    assert severity(said(target(fake, PROXIES)), "IPv6 is off in Jellyfin") is None


def test_a_machine_that_the_filter_could_shut_out_is_an_error(fake: FakeJellyfin) -> None:
    fake.peer = "203.0.113.50"
    assert severity(said(target(fake)), "this machine is not in Jellyfin's LAN") is ERROR


def test_entries_of_others_are_counted(fake: FakeJellyfin) -> None:
    fake.store(RemoteIPFilter=["198.51.100.0/24", "203.0.113.9"])
    keep(target(fake), ALICE)
    assert severity(said(target(fake)), "RemoteIPFilter holds 2 entries of others") is INFO


@pytest.mark.parametrize(
    ("key", "part"),
    [("0" * 32, "does not take the API key"), (FakeJellyfin.user_token, "lacks rights")],
)
def test_a_key_that_does_not_do_is_an_error(fake: FakeJellyfin, key: str, part: str) -> None:
    """That of a user may read all that there is, and write nothing."""
    found = said(JellyfinBackend("jellyfin", options(fake, key=key)))
    assert severity(found, part) is ERROR
    assert key not in repr(found)


def test_a_filter_that_shuts_out_this_machine_and_a_start_are_told_apart_from_a_wrong_url(
    fake: FakeJellyfin,
) -> None:
    fake.faults["GET"] = [JellyfinFault.STARTING]
    assert severity(said(target(fake)), "is starting, or its remote-address filter") is ERROR
    fake.base = "/media"
    backend = target(fake)
    fake.base = "/elsewhere"
    assert severity(said(backend), "is the base URL right?") is ERROR
    fake.calls.clear()  # nothing that the description knows


@pytest.mark.parametrize(("version", "expected"), [("10.7.7", WARNING), ("13.0.0", WARNING)])
def test_a_version_that_is_not_known_is_a_warning(
    fake: FakeJellyfin, version: str, expected: Severity
) -> None:
    fake.version = version
    for setting in FIELDS:
        assert severity(said(target(fake, setting)), f"Jellyfin {version} is none of") is expected


@pytest.mark.parametrize("fault", list(JellyfinFault))
@pytest.mark.parametrize("number", [0, 2, 4])
def test_whatever_fails_is_a_finding(
    fake: FakeJellyfin, fault: JellyfinFault, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(target(fake), ALICE)
    answer, left = fake.answer, iter(range(number))

    def failing(call: object, authorization: str) -> object:
        if next(left, None) is None and not fake.faults["GET"]:
            fake.faults["GET"] = [fault]
        return answer(call, authorization)  # type: ignore[arg-type]

    monkeypatch.setattr(fake, "answer", failing)
    for one in target(fake).check():
        assert fake.key not in one.what
