"""Runs with somebody to tell, through a real Apprise and a real server."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.config.channels import NotifyChannel
from allowsync.config.secrets import Secret
from allowsync.model.notification import Event
from allowsync.notify.outbox import GIVEN_UP_AFTER
from allowsync.state import Store
from tests.support.listener import PortListener
from tests.support.values import found
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.plan.result import RunReport

pytestmark = pytest.mark.usefixtures("warm_apprise")

HOUR = timedelta(hours=1)
ALICE = "alice.example.org"


@pytest.fixture
def listener() -> Iterator[PortListener]:
    with PortListener() as listener:
        yield listener


@pytest.fixture
def world(tmp_path: Path, listener: PortListener) -> World:
    url = Secret(f"json://admin:hunter2@{listener.place}/")
    world = World(tmp_path, notify=(NotifyChannel(url=url, events=tuple(Event)),))
    world.run()
    return world


def told(listener: PortListener) -> list[str]:
    return [json.loads(one.body)["message"] for one in listener.heard]


def said(report: RunReport) -> list[str]:
    return [f"{one.where}: {one.what}" for one in report.notices]


def move(world: World, to: str = "81.2.69.77") -> None:
    world.says[ALICE] = found(to)


def waiting(world: World) -> int:
    with Store.reading(world.state) as store:
        return len(store.outbox())


def test_news_is_told_once_and_nothing_waits(world: World, listener: PortListener) -> None:
    move(world)
    report = world.runs(3)
    assert told(listener) == [f"alice: {ALICE} moved from 81.2.69.1 to 81.2.69.77"]
    assert (said(report), waiting(world)) == ([], 0)


def test_a_dry_run_tells_nobody(world: World, listener: PortListener) -> None:
    move(world)
    world.store.fail_read = "boom"
    world.run(dry_run=True)
    assert listener.heard == []


def test_a_channel_that_fails_changes_nothing_but_is_said_once(
    world: World, listener: PortListener
) -> None:
    listener.status = 503
    move(world)
    first = world.run()
    assert (first.exit_code, world.held >= {"81.2.69.77"}) == (0, True)
    (line,) = said(first)
    assert line.startswith("notify (json): notification failed: it could not be reached")
    assert said(world.run()) == []
    assert (len(listener.heard), waiting(world)) == (2, 1)
    listener.status = 200
    assert said(world.run(after=HOUR)) == []
    assert (len(listener.heard), waiting(world)) == (3, 0)


def test_what_cannot_be_told_for_a_day_is_given_up(world: World, listener: PortListener) -> None:
    listener.status = 503
    move(world)
    world.run()
    report = world.run(after=GIVEN_UP_AFTER)
    assert [one for one in said(report) if "gave up on 1 notification:" in one]
    assert waiting(world) == 0


def test_news_joins_what_still_waits(world: World, listener: PortListener) -> None:
    listener.status = 503
    move(world)
    world.run()
    listener.status = 200
    move(world, "81.2.69.78")
    world.run()
    assert told(listener)[-1].count("\n") == 1


def test_a_channel_that_is_taken_away_takes_its_letters_along(
    world: World, listener: PortListener
) -> None:
    listener.status = 503
    move(world)
    world.run()
    world.notify = (NotifyChannel(url=Secret(f"form://{listener.place}/")),)
    world.run(after=HOUR)
    assert (len(listener.heard), waiting(world)) == (1, 0)


def test_everything_is_done_before_anybody_is_told(world: World, listener: PortListener) -> None:
    held: list[bool] = []
    listener.then = lambda: held.append("81.2.69.77" in world.held)
    move(world)
    world.run()
    assert held == [True]


def test_what_cannot_be_remembered_is_not_told_in_every_run(
    world: World, listener: PortListener
) -> None:
    with closing(sqlite3.connect(world.state)) as raw:
        raw.execute("DROP TABLE told")
        raw.execute("CREATE TABLE told (event)")
        raw.commit()
    move(world)
    (line,) = said(world.run())
    world.run()
    assert line.startswith("notify: notifications are not sent: ")
    assert listener.heard == []


def test_what_was_sent_and_cannot_be_noted_is_said(world: World, listener: PortListener) -> None:
    def spoil() -> None:
        with closing(sqlite3.connect(world.state)) as raw:
            raw.execute("DROP TABLE outbox")
            raw.commit()

    listener.then = spoil
    move(world)
    (line,) = said(world.run())
    assert line.startswith("notify: may be sent again: ")


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO told VALUES ('rumour', 'alice', '', 1, 0, '', 1)",
        "INSERT INTO told VALUES ('moved', 'alice', '', 'x', 'y', '', 1)",
        "INSERT INTO outbox VALUES ('a', 'moved', 'x', 0, 'soon', 0, 0)",
    ],
)
def test_a_damaged_memory_of_what_was_told_is_made_anew(
    world: World, listener: PortListener, damage: str
) -> None:
    with closing(sqlite3.connect(world.state)) as raw:
        raw.execute(damage)
        raw.commit()
    move(world)
    assert said(world.run()) == []
    assert len(told(listener)) == 1
    assert waiting(world) == 0


def test_the_state_holds_no_secret(world: World, listener: PortListener) -> None:
    listener.status = 503
    move(world)
    world.run()
    files = [one for one in world.folder.rglob("*") if one.is_file()]
    assert files
    assert not [one for one in files if b"hunter2" in one.read_bytes()]


def test_the_title_names_this_machine(world: World, listener: PortListener) -> None:
    move(world)
    world.run()
    title = json.loads(listener.heard[0].body)["title"]
    assert title == f"allowsync on {os.uname().nodename}: moved"
