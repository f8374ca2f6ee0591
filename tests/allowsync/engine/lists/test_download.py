"""Which servers are asked for a list, when, and what is believed of the process that asks."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.config.settings import Config
from allowsync.engine.lists import download
from allowsync.engine.lists.acceptance import accepted, refused
from allowsync.engine.lists.download import Reply, fetch_due
from allowsync.model.answer import Absent, Found
from allowsync.model.list_source import ListFormat, ListSource
from allowsync.model.types import LISTS, Family, Host
from allowsync.model.value import replace
from allowsync.policy.list_formats import read_list_content
from allowsync.state.lists import KeptList, identity, read_list, write_list
from tests.support.values import T0

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from allowsync.model.answer import Answer
    from allowsync.model.types import Query

URL = "https://lists.example.net/office.txt"
SOURCE = ListSource(url=URL)
HOUR = timedelta(hours=1)
NETWORKS = ("81.2.70.0/24", "81.2.72.1/32")


class Names:
    """Answers with the same addresses for every name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = [ip_address(one) for one in addresses]
        self.asked: list[str] = []

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        found: dict[Query, Answer] = {}
        for query in queries:
            self.asked.append(query.hostname)
            mine = tuple(one for one in self.addresses if Family.of(one) is query.family)
            found[query] = Found(mine, 60) if mine else Absent("NODATA")
        return found

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        raise NotImplementedError


class Servers:
    """Takes the place of the process: says what it is to say, and notes what it was told."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.urls: list[tuple[str, tuple[str, ...]]] = []

    def __call__(
        self, source: ListSource, url: str, addresses: list[str], *_: Any, literal: bool
    ) -> Reply:
        self.urls.append((url, tuple(addresses)))
        return self.replies.pop(0)


LIST = Reply({"unread": 0, "sample": "", "promised": None, "etag": '"1"'}, NETWORKS)


def onward(to: str) -> Reply:
    return Reply({"redirect": to}, ())


@pytest.fixture
def config(tmp_path: Path) -> Config:
    hosts = {"office": Host("office", sources=(f"{LISTS}office",))}
    return Config(tmp_path, hosts, {}, tmp_path / "state.db", lists={"office": SOURCE})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers(LIST)
    monkeypatch.setattr(download, "_answer", servers)
    return servers


def known(config: Config, now: Any = T0) -> KeptList:
    content = read_list_content("\n".join(NETWORKS).encode(), ListFormat.TEXT, None)
    kept = accepted(content, SOURCE, KeptList("office", now), now, grants=True, force=False)
    write_list(config.state, kept)
    return kept


def fetch(
    config: Config, names: Names, now: Any = T0, *, force: bool = False
) -> tuple[KeptList | None, str]:
    said = "; ".join(str(one.what) for one in fetch_due(config, names, now, force=force))
    return read_list(config.state, "office"), said


PUBLIC = ("81.2.99.1", "2a01:4f8::1")


def test_a_name_is_looked_up_once_and_its_addresses_are_asked(
    config: Config, asked: Servers
) -> None:
    names = Names(*PUBLIC)
    kept, said = fetch(config, names)
    assert kept is not None
    assert (kept.count, kept.etag) == (2, '"1"')
    assert said == "2 networks fetched; they count from the next run on"
    assert asked.urls == [(URL, PUBLIC)]
    assert names.asked == ["lists.example.net"] * 2


SPECIAL = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "fe80::1",
           "::ffff:5102:4501", "64:ff9b::a00:1", "0.0.0.0", "100.64.0.1", "224.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL)
def test_a_name_of_the_lan_is_not_asked(config: Config, asked: Servers, address: str) -> None:
    kept, said = fetch(config, Names(address))
    assert asked.urls == []
    assert kept is not None
    assert not kept.is_known
    assert f"lists.example.net is not connected to: {address} is " in said


def test_of_several_addresses_public_ones_are_asked(config: Config, asked: Servers) -> None:
    fetch(config, Names("192.168.1.1", "81.2.99.1", "fd00::1"))
    assert asked.urls == [(URL, ("81.2.99.1",))]


def test_a_name_without_addresses_is_told(config: Config, asked: Servers) -> None:
    _, said = fetch(config, Names())
    assert "lists.example.net has no address: NODATA" in said
    assert asked.urls == []


@pytest.mark.parametrize("host", ["127.0.0.1:8443", "[::1]:8443", "192.168.1.1", "81.2.99.1"])
def test_an_address_that_is_configured_is_meant(config: Config, asked: Servers, host: str) -> None:
    config = replace(config, lists={"office": ListSource(url=f"https://{host}/")})
    kept, _ = fetch(config, Names())
    assert kept is not None
    assert kept.count == 2
    assert len(asked.urls) == 1


GOOD_WAYS = {
    "https://other.example.net/a": "https://other.example.net/a",
    "/b?c=d": "https://lists.example.net/b?c=d",
    "https://81.2.99.2/": "https://81.2.99.2/",
    "e.txt#f": "https://lists.example.net/e.txt",
}


@pytest.mark.parametrize("to", GOOD_WAYS)
def test_a_redirect_is_followed(config: Config, asked: Servers, to: str) -> None:
    asked.replies = [onward(to), LIST]
    kept, _ = fetch(config, Names(*PUBLIC))
    assert [url for url, _ in asked.urls] == [URL, GOOD_WAYS[to]]
    assert kept is not None
    assert kept.count == 2


BAD_WAYS = {
    "http://lists.example.net/office.txt": "another scheme",
    "file:///etc/passwd": "another scheme",
    "ftp://lists.example.net": "another scheme",
    "": "another scheme",
    "https://user@lists.example.net/": "invalid URL",
    "https://[::1": "invalid URL",
    "https://lists.example.net:99999/": "invalid URL",
    "https://lists.exämple.net/": "invalid URL",
    "https://127.0.0.1/": "127.0.0.1 is not connected to",
    "https://192.168.1.1:8443/": "192.168.1.1 is not connected to",
    "https://[fd00::1]/": "fd00::1 is not connected to",
    "https://localhost/": "localhost is not a hostname",
    "https://2130706433/": "2130706433 is not a hostname",
    f"https://{'a' * 64}.example.net/": "is not a hostname",
}


@pytest.mark.parametrize("to", BAD_WAYS)
def test_a_redirect_leads_to_no_other_scheme_and_into_no_lan(
    config: Config, asked: Servers, to: str
) -> None:
    before = known(config, T0 - 12 * HOUR)
    asked.replies = [onward(to), LIST]
    kept, _ = fetch(config, Names(*PUBLIC))
    assert len(asked.urls) == 1
    assert kept is not None
    assert BAD_WAYS[to] in kept.trouble
    assert kept.networks() == before.networks()


def test_a_redirect_to_a_name_of_the_lan_is_not_followed(config: Config, asked: Servers) -> None:
    asked.replies = [onward("https://router.example.net/"), LIST]
    names = Names(*PUBLIC)

    def moved(url: str, location: str) -> str:
        names.addresses = [ip_address("192.168.1.1")]
        return location

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "_onward", moved)
        kept, _ = fetch(config, names)
    assert kept is not None
    assert "router.example.net is not connected to" in kept.trouble


def test_redirects_without_end_are_not_followed(config: Config, asked: Servers) -> None:
    asked.replies = [onward("/a")] * 9
    kept, _ = fetch(config, Names(*PUBLIC))
    assert kept is not None
    assert "redirects too often" in kept.trouble
    assert len(asked.urls) == 4


def test_a_list_is_fetched_when_its_time_has_come(config: Config, asked: Servers) -> None:
    asked.replies = [LIST] * 9
    for hours, times in ((0, 1), (1, 1), (11, 1), (12, 2), (13, 2), (24, 3)):
        fetch(config, Names(*PUBLIC), T0 + hours * HOUR)
        assert len(asked.urls) == times, hours


def test_failures_are_hours_apart(config: Config, asked: Servers) -> None:
    asked.replies = [Reply({"trouble": "HTTP status 503"}, ())] * 9
    before = known(config, T0 - 12 * HOUR)
    for minutes, times in ((0, 1), (59, 1), (60, 2), (179, 2), (180, 3), (420, 4)):
        kept, said = fetch(config, Names(*PUBLIC), T0 + timedelta(minutes=minutes))
        assert len(asked.urls) == times, minutes
        assert kept is not None
        assert (kept.networks(), said) == (before.networks(), "")
    asked.replies = [LIST]
    kept, _ = fetch(config, Names(*PUBLIC), T0 + 24 * HOUR)
    assert kept is not None
    assert (kept.failures, kept.trouble) == (0, "")


def test_a_fetch_that_did_not_end_is_not_repeated_in_each_run(
    config: Config, asked: Servers
) -> None:
    asked.replies = []
    with pytest.raises(IndexError):
        fetch(config, Names(*PUBLIC))
    assert fetch(config, Names(*PUBLIC), T0 + HOUR / 2)[0] is not None


def test_a_list_of_another_url_is_fetched_at_once(config: Config, asked: Servers) -> None:
    known(config)
    other = replace(config, lists={"office": ListSource(url="https://other.example.net/")})
    fetch(other, Names(*PUBLIC), T0 + HOUR)
    assert len(asked.urls) == 1


def test_a_clock_that_went_back_is_no_reason_to_wait(config: Config, asked: Servers) -> None:
    known(config, T0 + 99 * HOUR)
    fetch(config, Names(*PUBLIC))
    assert len(asked.urls) == 1


def test_what_was_refused_is_fetched_again_with_force(config: Config, asked: Servers) -> None:
    asked.replies = [Reply(LIST.heading, ("81.3.0.0/24",)), LIST]
    content = read_list_content(b"81.2.0.1\n81.2.0.3\n81.2.0.5\n81.2.0.7", ListFormat.TEXT, None)
    before = accepted(
        content, SOURCE, KeptList("office", T0), T0 - 12 * HOUR, grants=True, force=False
    )
    write_list(config.state, before)
    kept, said = fetch(config, Names(*PUBLIC))
    assert kept is not None
    assert "former networks stay: rejected: it has 1 network" in said
    assert kept.networks() == before.networks()
    asked.replies = [Reply(LIST.heading, ("81.3.0.0/24",))]
    kept, _ = fetch(config, Names(*PUBLIC), T0 + timedelta(minutes=1), force=True)
    assert kept is not None
    assert kept.count == 1


def test_what_has_not_changed_is_as_new(config: Config, asked: Servers) -> None:
    before = replace(known(config, T0 - 12 * HOUR), etag='"1"')
    write_list(config.state, before)
    asked.replies = [Reply({"unchanged": True}, ())]
    kept, _ = fetch(config, Names(*PUBLIC))
    assert kept is not None
    assert (kept.fetched, kept.networks()) == (T0, before.networks())


def test_a_url_that_is_back_is_asked_no_more_often_than_before(
    config: Config, asked: Servers
) -> None:
    known(config)
    other = replace(config, lists={"office": ListSource(url="https://other.example.net/")})
    asked.replies = [
        Reply({"trouble": "HTTP status 503"}, ()),
        *[Reply({"unchanged": True}, ())] * 9,
    ]
    fetch(other, Names(*PUBLIC), T0 + HOUR)
    for minutes in (65, 70, 75):
        fetch(config, Names(*PUBLIC), T0 + timedelta(minutes=minutes))
    assert [url for url, _ in asked.urls] == ["https://other.example.net/", URL]


HOSTILE = {
    "no network": Reply(LIST.heading, ("81.2.70.0/24", "0.0.0.0/x")),
    "host bits": Reply(LIST.heading, ("81.2.70.1/24",)),
    "no numbers": Reply({**LIST.heading, "unread": "none"}, NETWORKS),
    "fewer than none": Reply({**LIST.heading, "unread": -1}, NETWORKS),
    "odd promises": Reply({**LIST.heading, "promised": [1]}, NETWORKS),
    "nothing": Reply(LIST.heading, ()),
    "unchanged, which was not asked": Reply({"unchanged": True}, NETWORKS[:1]),
    "everything": Reply(LIST.heading, ("0.0.0.0/0",)),
    "all trouble": Reply({"trouble": "\x1b[31m" + "x" * 9999}, NETWORKS),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
def test_the_process_is_not_believed_more_than_the_list(
    config: Config, asked: Servers, reply: Reply
) -> None:
    before = known(config, T0 - 12 * HOUR)
    asked.replies = [reply]
    kept, said = fetch(config, Names(*PUBLIC))
    assert kept is not None
    assert kept.trouble
    assert "\x1b" not in kept.trouble + said
    assert len(kept.trouble) <= 300
    assert kept.networks() == before.networks()


def test_where_nothing_can_be_kept_nothing_is_fetched(config: Config, asked: Servers) -> None:
    config.state.with_name("state.db.office.list").mkdir()
    _, said = fetch(config, Names(*PUBLIC))
    assert "it cannot be stored" in said
    assert asked.urls == []


def test_conditions_are_those_of_what_is_in_force(config: Config) -> None:
    kept = replace(known(config), etag='"1"', modified="Sun, 29 Nov 2026 20:05:10 GMT")
    assert download._conditions(SOURCE, kept) == {
        "If-None-Match": '"1"',
        "If-Modified-Since": "Sun, 29 Nov 2026 20:05:10 GMT",
    }
    assert download._conditions(ListSource(url=f"{URL}?b"), kept) == {}
    assert download._conditions(SOURCE, refused(KeptList("office", T0), "", T0, SOURCE)) == {}
    assert identity(SOURCE) != identity(replace(SOURCE, format=ListFormat.JSON))
