"""A host whose networks Cloudflare publishes: the whole program against the fake."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from allowsync.model.special_purpose import CLOUDFLARE
from testkit.fake_cloudflare import FailedCall, FakeCloudflare, Wrong
from tests.program.test_idle import rows, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.program import Installation

ALL = list(CLOUDFLARE)
HOUR = 3600 * 1_000_000
DAY = 24 * HOUR


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with FakeCloudflare() as serving:
        yield serving


@pytest.fixture
def origin(here: Installation, fake: FakeCloudflare) -> Installation:
    """Nobody but Cloudflare, and alice."""
    here.hosts = {"edge": {"networks": ["cloudflare"]}, "alice": {"networks": ["81.2.69.1"]}}
    here.more = {"sources": {"cloudflare": {"url": fake.url}}}
    return here


def later(here: Installation, span: int) -> None:
    """Let everything on record be older by some microseconds."""
    with closing(sqlite3.connect(here.state)) as raw:
        raw.execute("UPDATE published SET fetched = fetched - ?1, tried = tried - ?1", (span,))
        raw.commit()


def published(here: Installation) -> set[str]:
    return {one for one in here.allowed if one in CLOUDFLARE}


def only(fake: FakeCloudflare, networks: list[str]) -> None:
    """Let these be all that is published."""
    old = [one for one in networks if ":" not in one]
    new = [one for one in networks if ":" in one]
    fake.cloud.ranges = (tuple(old), tuple(new))


def other(here: Installation, url: str) -> None:
    here.more = {"sources": {"cloudflare": {"url": url}}}


def test_cloudflare_is_let_in_by_its_name(origin: Installation, fake: FakeCloudflare) -> None:
    done = origin("apply")
    assert done.code == 0, done.err
    assert published(origin) == set(ALL)
    assert "81.2.69.1/32" in origin.allowed or "81.2.69.1" in origin.allowed
    assert fake.asked == ["ips"]
    assert "authorization" not in {key.lower() for key in fake.requests[0].headers}


def test_it_is_asked_once_a_day(origin: Installation, fake: FakeCloudflare) -> None:
    origin("apply")
    assert origin("apply").out == ""
    assert fake.asked == ["ips"]
    only(fake, ALL[1:])
    later(origin, DAY)
    said = origin("apply").out
    assert f"- {ALL[0]}" in said
    assert "no longer among its networks" in said
    assert fake.asked == ["ips", "ips"]
    assert published(origin) == set(ALL[1:])


def test_an_unchanged_run_asks_it_again_as_soon_as_it_is_no_longer_fresh(
    origin: Installation, fake: FakeCloudflare
) -> None:
    settle(origin)
    origin("apply")
    origin("apply")
    assert fake.asked == ["ips"]
    later(origin, DAY)
    origin("apply")
    assert fake.asked == ["ips", "ips"]


def test_without_an_answer_ever_nothing_is_removed_and_the_exit_code_says_so(
    origin: Installation, fake: FakeCloudflare
) -> None:
    origin("apply")
    origin.state.unlink()
    other(origin, "http://127.0.0.1:9/client/v4")
    done = origin("apply")
    assert done.code == 3
    assert "sources.cloudflare: its networks are unknown" in done.err
    assert "edge: no answer yet: cloudflare" in done.err
    assert published(origin) == set(ALL)
    assert origin("status").code == 3
    other(origin, fake.url)
    assert origin("apply").code == 0
    assert published(origin) == set(ALL)


def test_who_else_is_trusted_is_let_in_all_the_same(origin: Installation) -> None:
    other(origin, "http://127.0.0.1:9/client/v4")
    assert origin("apply").code == 3
    assert len(origin.allowed) == 1


def test_what_a_host_has_of_its_own_is_let_in_without_the_rest(origin: Installation) -> None:
    origin.hosts["edge"] = {"networks": ["cloudflare", "81.2.70.0/24"]}
    other(origin, "http://127.0.0.1:9/client/v4")
    done = origin("apply")
    assert done.code == 3
    assert "edge: the networks of cloudflare are not known yet" in done.err
    assert "81.2.70.0/24" in origin.allowed


def test_names_parked_at_cloudflare_are_no_homes_because_somebody_trusts_cloudflare(
    origin: Installation, zones: dict[str, object]
) -> None:
    for name in ("bob", "carol"):
        zones[f"{name}.example.org"] = ["104.16.1.1"]
        origin.hosts[name] = f"{name}.example.org"
    done = origin("apply")
    assert done.err.count("104.16.1.1 rejected: an address of Cloudflare's edge") == 2
    (edge, *friends) = origin("status --output json").document["hosts"]
    assert edge["grants"]
    assert not [host for host in friends if host["host"] in ("bob", "carol") and host["grants"]]


def test_silence_keeps_what_is_known_quietly_at_first_and_is_asked_again_hourly(
    origin: Installation, fake: FakeCloudflare
) -> None:
    origin("apply")
    fake.faults.add(FailedCall(503, html=True), on="ips", times=None)
    later(origin, DAY)
    done = origin("apply")
    assert (done.code, done.out, done.err) == (0, "", "")
    asked = len(fake.asked)
    assert origin("apply").code == 0
    assert len(fake.asked) == asked, "not before an hour has passed"
    later(origin, 3 * DAY)
    assert "22 networks of" in origin("status").err
    done = origin("apply")
    assert "which stay" in done.err
    assert len(fake.asked) > asked
    assert published(origin) == set(ALL)


def test_a_list_that_lost_more_than_half_is_not_believed_unless_by_force(
    origin: Installation, fake: FakeCloudflare
) -> None:
    origin("apply")
    only(fake, [*ALL[:2], *ALL[15:]])
    later(origin, DAY)
    done = origin("apply")
    assert "rejected: less than half of the IPv4 addresses" in done.err
    assert published(origin) == set(ALL)
    assert "rejected" in origin("status").err
    assert origin("apply --force").code == 0
    assert published(origin) == {*ALL[:2], *ALL[15:]}
    assert "rejected" not in origin("status").err


BAD = {
    "null": Wrong(None),
    "another document": Wrong({"success": True, "errors": [], "result": {"ipv4_cidrs": 7}}),
    "nothing in it": Wrong(
        {"success": True, "errors": [], "result": {"ipv4_cidrs": [], "ipv6_cidrs": []}}
    ),
    "garbage for a network": Wrong(
        {"success": True, "errors": [], "result": {"ipv4_cidrs": ["x"], "ipv6_cidrs": []}}
    ),
    "everybody": Wrong(
        {"success": True, "errors": [], "result": {"ipv4_cidrs": ["0.0.0.0/0"], "ipv6_cidrs": []}}
    ),
}


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD)
def test_what_makes_no_sense_changes_nothing(
    origin: Installation, fake: FakeCloudflare, fault: Wrong
) -> None:
    origin("apply")
    before = origin.file.read_bytes()
    fake.faults.add(fault, on="ips", times=None)
    later(origin, DAY)
    assert origin("apply").code == 0
    assert origin.file.read_bytes() == before
    (trouble,) = rows(origin, "SELECT trouble FROM published")
    assert trouble[0]


class _Redirecting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.server.target)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def redirecting(target: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting)
    server.target = target  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_redirect_is_not_followed(origin: Installation, fake: FakeCloudflare) -> None:
    with redirecting(f"{fake.url}/ips") as url:
        other(origin, url)
        assert origin("apply").code == 3
    assert fake.asked == []
    assert len(origin.allowed) == 1


def test_offline_goes_by_what_is_kept_and_asks_nobody(
    origin: Installation, fake: FakeCloudflare
) -> None:
    origin("apply")
    origin.file.unlink()
    later(origin, 30 * DAY)
    assert origin("apply --offline").code == 0
    assert published(origin) == set(ALL)
    assert fake.asked == ["ips"]


def test_offline_with_nothing_kept_says_so(origin: Installation, fake: FakeCloudflare) -> None:
    done = origin("apply --offline")
    assert done.code == 3
    assert "edge: no answer yet: cloudflare" in done.err
    assert fake.asked == []


def test_a_dry_run_asks_and_writes_nothing(origin: Installation, fake: FakeCloudflare) -> None:
    assert f"+ {ALL[0]}" in origin("apply --dry-run").out
    assert fake.asked == ["ips"]
    assert not origin.state.exists()


def test_who_names_it_no_more_has_it_forgotten(origin: Installation, fake: FakeCloudflare) -> None:
    origin("apply")
    origin.hosts["edge"] = {"networks": ["81.2.70.0/24"]}
    assert origin("apply").code == 0
    assert published(origin) == set()
    assert rows(origin, "SELECT * FROM published") == []
    assert fake.asked == ["ips"]


def test_status_explain_resolve_and_check_tell_of_it(
    origin: Installation, fake: FakeCloudflare
) -> None:
    origin("apply")
    assert "22 networks published by cloudflare" in origin("status").out
    (edge, alice) = origin("status --output json").document["hosts"]
    assert edge["sources"] == [{"source": "cloudflare", "networks": 22}]
    assert alice["sources"] == []
    assert len(edge["grants"]) == 22
    assert "published by cloudflare" in origin("explain 104.16.0.1").out.replace("\n", " ")
    assert "22 networks of" in origin("resolve").out
    assert "fixed networks alone" in origin("resolve alice").out
    assert origin("check").code == 0
    fake.faults.add(FailedCall(503), on="ips", times=None)
    done = origin("resolve --output json")
    assert done.code == 3
    assert done.document["sources"][0]["reason"]
    done = origin("check")
    assert "which stay" in done.out + done.err
    origin.state.unlink()
    assert origin("check").code == 1


def test_a_proxied_name_is_told_by_what_cloudflare_publishes_now(
    origin: Installation, fake: FakeCloudflare, zones: dict[str, object]
) -> None:
    """81.2.64.0/20 is new there, and 104.16.0.0/13 is not Cloudflare's any more."""
    only(fake, [*(one for one in ALL if one != "104.16.0.0/13"), "81.2.64.0/20"])
    origin.hosts["bob"] = "bob.example.org"
    origin.hosts["carol"] = "carol.example.org"
    zones["carol.example.org"] = ["104.16.1.1"]
    for command in ("apply", "resolve", "check"):
        done = origin(command)
        said = done.out + done.err
        assert "an address of Cloudflare's edge" in said, command
        assert "81.2.69.2" in said, command
        assert "104.16.1.1 is" not in said, command
        assert "104.16.1.1 rejected" not in said, command


def test_a_source_that_is_named_is_shown_as_it_is_written(origin: Installation) -> None:
    shown = json.loads(origin("config show --output json").out)
    found = shown.get("config", shown)
    assert found["hosts"]["edge"]["networks"] == ["cloudflare"]
    assert found["sources"] == origin.more["sources"]
