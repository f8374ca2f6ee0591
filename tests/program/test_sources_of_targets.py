"""A target whose options name a source of networks: the whole program against the fake."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FailedCall, FakeCloudflare
from tests.program.test_sources import ALL, DAY, later, only, other

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import Installation

LAN = "192.168.1.0/24"
NOWHERE = "http://127.0.0.1:9/client/v4"


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with FakeCloudflare() as serving:
        yield serving


@pytest.fixture
def behind(here: Installation, fake: FakeCloudflare) -> Installation:
    """Traefik behind Cloudflare, and a file beside it."""
    here.hosts = {"alice": {"networks": ["81.2.69.1"]}}
    here.more = {"sources": {"cloudflare": {"url": fake.url}}}
    options = {"path": str(middleware(here)), "excluded_ips": ["cloudflare", LAN]}
    here.targets = [{"traefik": options}, {"file": {"path": str(here.file)}}]
    return here


def middleware(here: Installation) -> Path:
    return here.folder / "friends.yml"


def excluded(here: Installation) -> set[str]:
    (listed,) = re.findall(r"excludedIPs: (\[.*\])", middleware(here).read_text())
    return set(json.loads(listed))


def test_what_a_source_publishes_is_excluded_beside_what_is_written(
    behind: Installation, fake: FakeCloudflare
) -> None:
    done = behind("apply")
    assert done.code == 0, done.err
    assert excluded(behind) == {*ALL, LAN}
    assert behind.allowed == ["81.2.69.1/32"], "a proxy is let in nowhere"
    assert (behind("apply").out, fake.asked) == ("", ["ips"])
    assert behind("status").code == 0
    shown = json.loads(behind("config show --output json").out)
    found = shown.get("config", shown)
    traefik = found["allowlists"]["web"]["targets"][0]["traefik"]
    assert traefik["excluded_ips"] == ["cloudflare", LAN]


def test_it_is_kept_current(behind: Installation, fake: FakeCloudflare) -> None:
    behind("apply")
    only(fake, [*ALL[1:], "81.2.64.0/20"])
    assert behind("apply").out == "", "not before a day has passed"
    later(behind, DAY)
    assert behind("apply").code == 0
    assert excluded(behind) == {*ALL[1:], "81.2.64.0/20", LAN}


def test_silence_keeps_what_is_known(behind: Installation, fake: FakeCloudflare) -> None:
    behind("apply")
    fake.faults.add(FailedCall(503), on="ips", times=None)
    later(behind, DAY)
    middleware(behind).unlink()
    assert behind("apply").code == 0
    assert excluded(behind) == {*ALL, LAN}


def test_where_nothing_is_known_the_target_alone_stays_as_it_is(
    behind: Installation, fake: FakeCloudflare
) -> None:
    other(behind, NOWHERE)
    done = behind("apply")
    assert done.code == 1
    assert "web/traefik" in done.err
    assert "the networks of cloudflare are not known yet" in done.err
    assert behind.allowed == ["81.2.69.1/32"]
    assert not middleware(behind).exists()

    other(behind, fake.url)
    behind("apply")
    before = middleware(behind).read_bytes()
    behind.state.unlink()
    other(behind, NOWHERE)
    assert behind("apply").code == 1
    assert behind("apply --offline").code == 1
    assert middleware(behind).read_bytes() == before


def test_check_asks_it_and_finds_nothing_wrong(behind: Installation) -> None:
    before = json.loads(behind("check --output json").out)["findings"]
    assert not [one for one in before if "not known" in one["what"]]
    behind("apply")
    done = json.loads(behind("check --output json").out)
    assert not [one for one in done["findings"] if "edited" in one["what"]], done
    other(behind, NOWHERE)
    behind.state.unlink()
    done = json.loads(behind("check --output json").out)
    said = [one for one in done["findings"] if one["severity"] == "error"]
    assert [one["where"] for one in said if "not known yet" in one["what"]] == ["web/traefik"]


def test_only_the_sources_of_the_run_are_asked(behind: Installation, fake: FakeCloudflare) -> None:
    assert behind("apply --only web/file").code == 0
    assert fake.asked == []


def test_a_rehearsal_goes_by_what_is_known(behind: Installation) -> None:
    behind("apply")
    done = behind("apply --dry-run --at", "+1d")
    assert done.code == 0, done.err
    assert "edited" not in done.out + done.err


def test_a_name_of_no_source_is_a_problem_of_the_configuration(behind: Installation) -> None:
    options = {"path": str(middleware(behind)), "excluded_ips": ["cloudflar"]}
    behind.targets = [{"traefik": options}]
    done = behind("apply")
    assert done.code == 2
    assert "excluded_ips" in done.err
    assert "did you mean 'cloudflare'?" in done.err
