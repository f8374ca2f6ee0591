"""What is said of access that nothing grants any more, while it is not withdrawn yet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.inspect.access_at import AccessAt, present, with_retained
from allowsync.inspect.explain import AccessVerdict, of_host, of_network
from allowsync.inspect.status_problems import exit_code, problems
from allowsync.report.json import status_document
from allowsync.report.text import status_lines
from allowsync.state import Store
from tests.support.values import GONE, SERVFAIL, T0, found, host, net
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

WIDE, BOB = "93.184.215.0/24", "93.184.215.7"
END = T0 + timedelta(minutes=30)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Bob, whose name is gone, at an address within the network of guests that has ended."""
    world = World(tmp_path)
    world.says["bob.example.org"] = found(BOB)
    bob = host("bob", keep_absent=timedelta(0), absent_runs=2)
    guests = host("guests", hostnames=(), networks=(net(WIDE),), until=END)
    world.hosts = {"bob": bob, "guests": guests}
    world.run()
    world.says["bob.example.org"] = GONE
    world.run()
    return world


def scene(world: World) -> AccessAt:
    standing = world.look()
    with Store.reading(world.state) as store:
        return with_retained(present(standing), standing, store.past(T0))


def test_who_is_kept_by_a_limit_is_allowed_with_what_is_his(world: World) -> None:
    world.run(after=timedelta(minutes=40))
    answer = of_host("bob", "bob", scene(world), {"web/memory": ("bob", "guests")})
    assert answer.verdict is AccessVerdict.YES
    assert [(str(one.network), one.said) for one in answer.accesses] == [
        (f"{BOB}/32", "no longer granted, retained")
    ]
    guests = of_host("guests", "guests", scene(world), {})
    assert (guests.verdict, guests.accesses) == (AccessVerdict.NO, ())
    lines = [one.text for one in status_lines(world.look())]
    assert f"    {BOB}  retained: no longer granted" in lines
    assert not any("no access" in one for one in lines)
    document = status_document(world.look(), exit_code(world.look()))
    assert [one["retained"] for one in document["hosts"]] == [[f"{BOB}/32"], []]


def test_one_entry_for_two_hosts_is_told_of_each_with_its_own_end(world: World) -> None:
    both = of_network(BOB, net(BOB), scene(world), {})
    assert [(one.host, str(one.network), one.until) for one in both.accesses] == [
        ("bob", f"{BOB}/32", world.instant),
        ("guests", WIDE, END),
    ]


def test_until_a_run_withdraws_it_an_ended_access_is_told_as_it_is(world: World) -> None:
    world.instant = END
    standing = world.look()
    assert standing.retained["guests"] == (net(WIDE),)
    told = {one.where: one.what for one in problems(standing) if one.where == "guests"}
    assert told == {"guests": "access ended, not withdrawn yet"}
    answer = of_host("guests", "guests", scene(world), {})
    assert (answer.verdict, answer.accesses[0].said) == (
        AccessVerdict.YES, "access ended, retained",
    )  # fmt: skip


def test_a_host_with_nothing_retained_is_told_as_before(world: World) -> None:
    world.hosts["new"] = host("new")
    world.says["new.example.org"] = SERVFAIL
    world.run()
    standing = world.look()
    assert "new" not in standing.retained
    assert ("new", "no answer yet: no access") in [
        (one.where, one.what) for one in problems(standing)
    ]
