"""What is told over many runs: each event once, and again only when it is another one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.config.settings import Allowlist
from allowsync.model.notification import Event
from allowsync.model.types import Limits
from allowsync.notify.events import Condition, matters
from allowsync.plan.result import RunReport
from allowsync.testing.memory import MemoryStore, memory_type
from tests.support.reader import NoticeReader
from tests.support.values import GONE, SERVFAIL, V4, V6, Life, found, host
from tests.support.world import World, allowlist

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)
ALICE, BOB = "alice.example.org", "bob.example.org"
LOOPBACK = "127.0.0.1"
MANY = tuple(f"45.9.9.{number}" for number in range(1, 8))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, limits=Limits(max_remove_hosts=1, allow_empty=True))


@pytest.fixture
def reader(world: World) -> NoticeReader:
    reader = NoticeReader(world)
    assert reader.run() == []
    return reader


def test_a_run_with_nothing_to_tell_tells_nothing(reader: NoticeReader) -> None:
    assert reader.runs(5) == []
    assert reader.told == ()


def test_a_moved_friend_is_told_once(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = found("81.2.69.77")
    assert reader.run() == ["alice: alice.example.org moved from 81.2.69.1 to 81.2.69.77"]
    assert reader.runs(10) == []
    assert reader.events == [Event.MOVED]
    reader.world.says[ALICE] = found("81.2.69.78")
    assert len(reader.run()) == 1


def test_a_silent_name_is_told_at_a_quarter_and_at_three_quarters_and_when_access_ends(
    reader: NoticeReader,
) -> None:
    reader.world.says[ALICE] = SERVFAIL
    at = {hour: news for hour in range(3, 90, 3) if (news := reader.run(after=3 * HOUR))}
    silent = "alice: alice.example.org has given no usable answer for"
    gone = "alice: access from 81.2.69.1 is withdrawn: no answer from DNS for 3 d"
    assert at == {
        18: [f"{silent} 18 h (SERVFAIL); access expires in 2 d 6 h"],
        54: [f"{silent} 2 d 6 h (SERVFAIL); access expires in 18 h"],
        72: [f"{gone} (SERVFAIL, 24 times)"],
    }
    reader.world.says[ALICE] = found("81.2.69.1")
    assert reader.run() == ["alice: alice.example.org has an address again"]
    assert reader.runs(3) == []


def test_a_name_that_answers_in_time_is_told_of_twice(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = SERVFAIL
    assert len(reader.runs(10, after=2 * HOUR)) == 1
    reader.world.says[ALICE] = found("81.2.69.1")
    assert reader.runs(10, after=2 * HOUR) == ["alice: alice.example.org has an address again"]
    assert reader.told == ()


def test_a_name_that_is_kept_for_no_time_is_told_when_it_ends_and_not_before(
    reader: NoticeReader,
) -> None:
    reader.world.change("alice", policy=host(keep_unavailable=timedelta()).policy)
    reader.world.says[ALICE] = SERVFAIL
    reader.runs(3)
    assert reader.events == [Event.ENDED]


def test_a_name_that_is_proxied_is_told_once(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = found("104.16.1.1")
    reader.run()
    reader.world.says[ALICE] = found("104.16.1.2")
    reader.run()
    assert reader.events == [Event.SUSPICIOUS]
    assert "an address of Cloudflare's edge" in reader.read[0].text


def test_a_short_silence_is_not_told_at_all(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = SERVFAIL
    assert reader.runs(8, after=2 * HOUR) == []
    reader.world.says[ALICE] = found("81.2.69.1")
    assert reader.runs(3) == []


def test_a_name_that_is_gone_after_a_silence_does_not_give_an_address_again(
    reader: NoticeReader,
) -> None:
    reader.world.says[ALICE] = SERVFAIL
    reader.runs(10, after=2 * HOUR)
    reader.world.says[ALICE] = GONE
    news = reader.runs(8, after=HOUR)
    assert [one for one in news if "again" in one] == []
    assert len([one for one in news if "is withdrawn: gone from DNS" in one]) == 1


@pytest.mark.parametrize("how", ["until", "name", "host"])
def test_nothing_is_said_to_be_better_that_was_only_taken_away(
    reader: NoticeReader, how: str
) -> None:
    reader.world.says[ALICE] = SERVFAIL
    assert len(reader.runs(10, after=2 * HOUR)) == 1
    if how == "host":
        del reader.world.hosts["alice"]
    else:
        changes: dict[str, dict[str, object]] = {
            "until": {"until": reader.world.instant},
            "name": {"hostnames": (BOB,)},
        }
        reader.world.change("alice", **changes[how])
    assert [one for one in reader.runs(3) if "again" in one] == []


def test_a_name_that_is_deleted_is_told_when_access_ends(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = GONE
    (news,) = reader.runs(20)
    assert news.startswith("alice: access from 81.2.69.1 is withdrawn: gone from DNS for 1 h")
    assert reader.events == [Event.ENDED]


def test_an_address_that_was_replaced_ends_without_a_word(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = found("81.2.69.77")
    reader.runs(2)
    reader.world.says[ALICE] = GONE
    (news,) = reader.runs(20)
    assert news.startswith("alice: access from 81.2.69.77 is withdrawn")
    assert reader.events == [Event.MOVED, Event.ENDED]


def test_the_end_of_an_until_is_told_once(reader: NoticeReader) -> None:
    reader.world.change("bob", until=reader.world.instant + HOUR)
    news = reader.runs(15)
    assert news == [f"bob: access ended on {reader.world.hosts['bob'].until:%Y-%m-%d %H:%M} UTC"]


def test_who_never_had_access_does_not_lose_it(world: World) -> None:
    world.change("bob", until=world.instant - HOUR)
    assert NoticeReader(world).runs(3) == []


def test_a_refused_removal_is_told_once_and_again_when_it_is_another_one(
    reader: NoticeReader,
) -> None:
    reader.world.limits = Limits(max_remove_hosts=0.25)
    reader.world.says[ALICE] = reader.world.says[BOB] = GONE
    news = reader.runs(15)
    assert len(news) == 1
    assert news[0].startswith("web/memory: refused to remove alice, bob: at most 1 of 4 hosts")
    reader.world.says["carol.example.org"] = GONE
    (news_of_carol,) = reader.runs(20)
    assert "refused to remove alice, bob, carol: at most 1 of 4" in news_of_carol
    assert set(reader.events) == {Event.REFUSED}


def test_what_a_limit_keeps_is_not_said_to_be_withdrawn(reader: NoticeReader) -> None:
    reader.world.limits = Limits(max_remove_hosts=0.25)
    reader.world.says[ALICE] = reader.world.says[BOB] = GONE
    reader.runs(15)
    assert Event.ENDED not in reader.events
    assert {"81.2.69.1", "81.2.69.2"} <= reader.world.held


def test_an_answer_that_is_not_believed_is_told_once(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = found(LOOPBACK)
    (news,) = reader.runs(15)
    assert news.startswith(f"alice: alice.example.org: {LOOPBACK} is rejected: a loopback")


def test_too_many_addresses_are_told_once_however_many_they_are(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = found(*MANY)
    assert len(reader.run()) == 1
    reader.world.says[ALICE] = found(*MANY[1:])
    assert reader.run() == []


def test_another_doubt_about_the_same_name_is_other_news(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = found(LOOPBACK)
    reader.run()
    reader.world.says[ALICE] = reader.world.says["*.example.org"] = found("45.9.9.9")
    (news,) = reader.run()
    assert "answers for any name" in news


def test_an_answer_that_is_odd_every_other_time_is_told_once(reader: NoticeReader) -> None:
    for number in range(12):
        reader.world.says[ALICE] = found(LOOPBACK) if number % 2 else found("81.2.69.1")
        reader.run()
    assert reader.events == [Event.SUSPICIOUS]


def test_an_answer_that_is_odd_again_after_hours_is_told_again(reader: NoticeReader) -> None:
    for answer in (found(LOOPBACK), found("81.2.69.1"), found(LOOPBACK)):
        reader.world.says[ALICE] = answer
        reader.runs(3, after=HOUR)
    assert reader.events == [Event.SUSPICIOUS] * 2


def test_a_latched_name_is_told_once_and_once_more_when_it_comes_back(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = GONE
    reader.runs(18, after=12 * HOUR)
    assert reader.events == [Event.ENDED, Event.SUSPICIOUS]
    assert "allowsync approve alice" in reader.read[-1].text
    reader.world.says[ALICE] = found("45.9.9.9")
    (news,) = reader.runs(5)
    assert "45.9.9.9 is rejected: its name was gone for longer" in news


def test_a_target_that_fails_is_told_once_and_once_that_it_works_again(
    reader: NoticeReader,
) -> None:
    reader.world.store.fail_read = "nft: boom"
    assert reader.runs(5) == ["web/memory: could not be read: nft: boom"]
    reader.world.store.fail_read = "nft: another reason"
    assert reader.runs(5) == []
    reader.world.store.fail_read = ""
    assert reader.runs(5) == ["web/memory: recovered"]
    reader.world.store.fail_read = "nft: boom"
    assert len(reader.runs(5)) == 1
    assert [one.good for one in reader.read] == [False, True, False]


def test_an_offline_run_says_nothing_of_names_and_ends_nothing(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = SERVFAIL
    reader.world.says[BOB] = found(LOOPBACK)
    reader.runs(10, after=2 * HOUR)
    told = reader.told
    assert (reader.run(offline=True), reader.told) == ([], told)
    assert reader.run() == []


def test_what_is_due_in_an_offline_run_is_told_in_the_next(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = SERVFAIL
    assert reader.runs(8, after=2 * HOUR) == []
    assert reader.run(after=3 * HOUR, offline=True) == []
    assert len(reader.run()) == 1


def test_a_family_that_a_name_never_had_keeps_it_from_nothing() -> None:
    life = Life(host(families=(V4, V6)))
    life.run(found("81.2.69.1"), GONE)
    life.run(SERVFAIL, SERVFAIL, after=20 * HOUR)
    (matter,) = about(life)
    assert (matter.event, matter.level) == (Event.STALE, 1)
    life.run(found("81.2.69.1"), GONE)
    assert about(life) == ()


def about(life: Life) -> tuple[Condition, ...]:
    """What is the matter after the last run of a life."""
    report = RunReport(life.instant, 0.0, False, False, {life.host.name: life.decision}, ())
    return matters(report, {life.host.name: life.memory})


def test_a_run_for_one_allowlist_ends_nothing_of_another(reader: NoticeReader) -> None:
    other = MemoryStore(fail_read="boom")
    reader.world.extra = (allowlist("other", ("alice",), memory_type(other)),)
    assert len(reader.run()) == 1
    assert reader.run("web") == []
    other.fail_read = ""
    assert reader.run("web") == []
    assert reader.run() == ["other/memory: recovered"]


def test_what_is_no_longer_configured_is_forgotten(reader: NoticeReader) -> None:
    other = MemoryStore(fail_read="boom")
    reader.world.extra = (allowlist("other", ("alice",), memory_type(other)),)
    reader.run()
    reader.world.extra = (Allowlist("other", ("alice",), ()),)
    assert all("works again" not in one for one in reader.run())
    assert [one for one in reader.told if one.subject == "other/memory"] == []


def test_a_lost_memory_repeats_what_still_goes_on_and_nothing_else(reader: NoticeReader) -> None:
    reader.world.says[ALICE] = SERVFAIL
    reader.world.store.fail_apply = "boom"
    reader.world.says[BOB] = found("81.2.69.99")
    first = set(reader.runs(10, after=2 * HOUR))
    assert len(first) == 3
    reader.told = ()
    assert {one[:12] for one in reader.run()} == {"alice: alice", "web/memory: "}


def test_a_clock_that_went_backwards_is_told_as_a_problem(reader: NoticeReader) -> None:
    (news,) = reader.run(after=-HOUR)
    assert news.startswith("clock: went backwards")
    assert reader.events == [Event.PROBLEM]


def test_a_friend_with_a_fixed_network_is_told_the_end_of_until(world: World) -> None:
    world.change("bob", until=world.instant + HOUR, networks=host("x").networks)
    reader = NoticeReader(world)
    assert len(reader.runs(20)) == 1
