"""The whole program with somebody to tell: each event once, over real DNS, HTTP and files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from allowsync.model.notification import Event
from testkit.fake_dns.behaviours import SERVFAIL
from tests.support.listener import PortListener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.program import Installation

EVERYTHING = [one.value for one in Event]
TOKEN = "hunter2-5f2c91d7"


@pytest.fixture
def listener() -> Iterator[PortListener]:
    with PortListener() as listener:
        yield listener


@pytest.fixture
def told(here: Installation, listener: PortListener) -> Installation:
    """An installation after its first run, with a channel that is told of everything."""
    url = f"json://admin:{TOKEN}@{listener.place}/"
    here.hosts = {"alice": "alice.example.org", "bob": "bob.example.org"}
    here.more = {"notify": [{"url": url, "events": EVERYTHING}]}
    assert here("apply").code == 0
    assert listener.heard == []
    return here


def bodies(listener: PortListener) -> list[str]:
    return [json.loads(one.body)["message"] for one in listener.heard]


def test_a_friend_who_moved_is_told_once(
    told: Installation, zones: dict[str, object], listener: PortListener
) -> None:
    zones["bob.example.org"] = ["81.2.69.77"]
    assert told("apply --dry-run").code == 0
    assert listener.heard == []
    for _ in range(3):
        assert told("apply").code == 0
    assert bodies(listener) == ["bob: bob.example.org moved from 81.2.69.2 to 81.2.69.77"]


def age(here: Installation, hours: int) -> None:
    """Set back when names answered last, as that many hours without answers would have it."""
    with closing(sqlite3.connect(here.state)) as raw:
        for table, column in (("tracks", "last_found"), ("held", "confirmed"), ("held", "since")):
            raw.execute(f"UPDATE {table} SET {column} = {column} - {hours * 3600 * 10**6}")
        raw.commit()


def test_a_silent_name_is_told_at_a_quarter_at_three_quarters_and_at_its_end(
    told: Installation, zones: dict[str, object], listener: PortListener
) -> None:
    zones["bob.example.org"] = SERVFAIL
    for hours in (0, 17, 2, 30, 6):
        age(told, hours)
        assert told("apply").code == 3
    assert [one.partition(" (")[0] for one in bodies(listener)] == [
        "bob: bob.example.org has given no usable answer for 19 h",
        "bob: bob.example.org has given no usable answer for 2 d 7 h",
    ]
    age(told, 30)
    told("apply")
    assert "bob: access from 81.2.69.2 is withdrawn" in bodies(listener)[-1]
    told("apply")
    assert len(listener.heard) == 3


def test_a_refused_removal_is_told_once(
    told: Installation, zones: dict[str, object], listener: PortListener
) -> None:
    told.policy = {"keep_absent": "0s", "absent_runs": 1}
    told("apply")
    del zones["alice.example.org"], zones["bob.example.org"]
    for _ in range(3):
        assert told("apply").code == 4
    (body,) = bodies(listener)
    assert body.startswith("web/file: refused to remove alice, bob")


def test_a_target_that_fails_and_works_again_is_told_once_each(
    told: Installation, listener: PortListener
) -> None:
    told.file.rename(told.file.with_name("away"))
    told.file.mkdir()
    for _ in range(2):
        assert told("apply").code == 1
    told.file.rmdir()
    for _ in range(2):
        assert told("apply").code == 0
    first, second = bodies(listener)
    assert first.startswith("web/file: could not be read")
    assert second == "web/file: recovered"


def test_a_channel_nobody_answers_at_is_said_and_harms_nothing(
    told: Installation, zones: dict[str, object]
) -> None:
    told.more = {"notify": [{"url": f"json://u:{TOKEN}@127.0.0.1:9/", "events": ["moved"]}]}
    zones["bob.example.org"] = ["81.2.69.77"]
    done = told("apply -q")
    assert (done.code, "81.2.69.77/32" in told.allowed) == (0, True)
    assert "notify (json): notification failed: it could not be reached" in done.err
    assert TOKEN not in done.out + done.err
    assert told("apply -q").err == ""


def test_a_url_that_cannot_be_read_is_said_by_all_and_stops_no_run(
    told: Installation, zones: dict[str, object], listener: PortListener
) -> None:
    kept = told.folder / "url"
    gone = {"url_file": str(kept), "events": ["moved"]}
    well = {"url": f"json://{listener.place}/", "events": EVERYTHING}
    told.more = {"notify": [gone, well], "heartbeat": {"url_env": "NOT_SET"}}
    zones["bob.example.org"] = ["81.2.69.77"]
    for command, code in (("apply", 1), ("status", 1), ("check", 1)):
        done = told(command)
        assert done.code == code
        for one in (f"'{kept}': file not found", "'NOT_SET': this environment variable"):
            assert one in done.out + done.err
    assert "81.2.69.77/32" in told.allowed
    (body,) = bodies(listener)  # and the other channel is told of both
    assert [one.partition(":")[0] for one in body.splitlines()] == [
        "bob",
        "notify, item 1",
        "heartbeat",
    ]
    kept.write_text(f"json://{listener.place}/\n")
    kept.chmod(0o600)
    age_letters(told)
    assert "item 1" not in told("apply").err
    assert "bob.example.org moved" in bodies(listener)[1]


def age_letters(here: Installation) -> None:
    """Let what waits for a channel be due."""
    with closing(sqlite3.connect(here.state)) as raw, raw:
        raw.execute("UPDATE outbox SET due = at")


def test_check_tries_every_channel_and_tells_it_only_when_asked(
    told: Installation, listener: PortListener
) -> None:
    kept = told.folder / "url"
    kept.write_text(f"form://{listener.place}/{TOKEN}\n")
    kept.chmod(0o600)
    told.more = {"notify": [{"url_file": str(kept)}, "tgram://x"]}
    done = told("check")
    assert (done.code, listener.heard) == (1, [])
    assert "error: notify, item 2 (tgram): Apprise does not understand this URL" in done.out
    done = told("check --notify")
    assert (done.code, len(listener.heard)) == (1, 1)
    assert "notify, item 1 (form): accepted the test notification" in done.out
    shown = told("config show").out
    assert TOKEN not in done.out + done.err + shown
    assert str(kept) in shown


def test_every_watched_run_pings_and_writes_metrics(
    told: Installation, listener: PortListener
) -> None:
    file = told.folder / "allowsync.prom"
    told.more = {"heartbeat": f"http://{listener.place}/ping/{TOKEN}", "metrics": str(file)}
    for _ in range(3):
        done = told("apply")
        assert (done.code, done.out, done.err) == (0, "", "")
    assert [one.path for one in listener.heard] == [f"/ping/{TOKEN}/0"] * 3
    written = file.stat().st_mtime_ns
    told("apply --dry-run")
    told("apply --offline")
    told("apply --only web")
    assert (len(listener.heard), file.stat().st_mtime_ns) == (3, written)
    families = {one.name: one for one in text_string_to_metric_families(file.read_text())}
    assert families["allowsync_last_run_exit_code"].samples[0].value == 0
    (entries,) = families["allowsync_target_entries"].samples
    assert (entries.labels["target"], entries.value) == ("web/file", 3)


def test_a_monitor_hears_of_a_failure(told: Installation, listener: PortListener) -> None:
    told.more = {"heartbeat": f"http://{listener.place}/api/push/{TOKEN}?status=up&msg=OK&ping="}
    told.file.rename(told.file.with_name("away"))
    told.file.mkdir()
    assert told("apply").code == 1
    (heard,) = listener.heard
    assert heard.path.startswith(f"/api/push/{TOKEN}?status=down&msg=web%2Ffile%3A+failed&ping=")


def test_a_letter_waits_over_unchanged_runs(
    told: Installation, zones: dict[str, object], listener: PortListener
) -> None:
    listener.status = 500
    zones["bob.example.org"] = ["81.2.69.77"]
    told.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    for _ in range(3):
        told("apply")
    with closing(sqlite3.connect(told.state)) as raw:
        assert raw.execute("SELECT count(*) FROM outbox").fetchone() == (1,)
