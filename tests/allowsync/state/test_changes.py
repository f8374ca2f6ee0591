"""A run that was killed cannot tell what it changed; the next one that looks writes it down."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.model.memory import TargetMemory
from allowsync.model.target import Place
from allowsync.state import EntryChange, RunRecord, Store, TargetRecord
from allowsync.state.history import PastChange
from tests.support.values import FIVE_MINUTES, T0, entry, net

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.types import Network

HERE, THERE = Place("gate", ("here",)), Place("gate", ("there",))
WEB = TargetRecord("web/memory", "web", "memory", places=(HERE,))
COME = EntryChange("web/memory", "add", entry("81.2.69.7", "alice"), "moved")
GONE = EntryChange("web/memory", "remove", entry("81.2.69.1", "alice"), "moved away")
NEW, OLD = net("81.2.69.7"), net("81.2.69.1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lib" / "state.db"


def intended(
    store: Store, *meant: EntryChange, found: tuple[Network, ...], after: timedelta = timedelta(0)
) -> None:
    """A run looks at the target, means to change it, and comes no further."""
    store.intend(
        RunRecord(
            T0 + after,
            offline=False,
            hosts={},
            configured=frozenset(),
            targets=((WEB, TargetMemory()),),
            found={"web/memory": frozenset(found)},
            meant=meant,
        )
    )


def history(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("SELECT action, network, hosts, why, confirmed FROM changes").fetchall()


ADDED = ("add", "81.2.69.7/32", "alice", "moved", 1)
REMOVED = ("remove", "81.2.69.1/32", "alice", "moved away", 1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((OLD,), []),
        ((OLD, NEW), [ADDED]),
        ((NEW,), [ADDED, REMOVED]),
        ((), [REMOVED]),
    ],
)
def test_what_a_killed_run_changed_is_told_by_what_the_next_one_finds(
    path: Path, found: tuple[Network, ...], expected: list[object]
) -> None:
    with Store.writing(path) as store:
        intended(store, COME, GONE, found=(OLD,))
        assert history(path) == [], "it is not known yet"
        intended(store, found=found, after=FIVE_MINUTES)
        assert history(path) == expected
        intended(store, found=found, after=2 * FIVE_MINUTES)
    assert history(path) == expected, "it is told once"


def test_a_change_stands_where_it_was_made_not_where_it_was_found(path: Path) -> None:
    with Store.writing(path) as store:
        intended(store, COME, found=())
        intended(store, found=(NEW,), after=FIVE_MINUTES)
    with closing(sqlite3.connect(path)) as raw:
        (at,) = raw.execute("SELECT at FROM changes").fetchone()
    assert at == T0.timestamp() * 1_000_000


def test_a_run_that_came_to_its_end_leaves_nothing_to_find_out(path: Path) -> None:
    with Store.writing(path) as store:
        intended(store, COME, found=())
        store.confirm([], [replace(COME, confirmed=False)], T0, told=["web/memory"])
        intended(store, found=(NEW,), after=FIVE_MINUTES)
    assert history(path) == [(*ADDED[:4], 0)]


def test_a_target_that_failed_is_found_out_about_later(path: Path) -> None:
    with Store.writing(path) as store:
        intended(store, COME, GONE, found=(OLD,))
        store.confirm([], [], T0, told=["web/other"])
        intended(store, GONE, found=(OLD, NEW), after=FIVE_MINUTES)
    assert history(path) == [ADDED]


def test_why_it_was_meant_is_not_forgotten_when_a_later_run_does_it(path: Path) -> None:
    with Store.writing(path) as store:
        intended(store, COME, GONE, found=(OLD,))
        again = replace(COME, why="")
        intended(store, again, found=(OLD,), after=FIVE_MINUTES)
        store.confirm([], [again], T0 + FIVE_MINUTES, told=["web/memory"])
    assert history(path) == [ADDED]


def test_what_is_meant_no_longer_is_not_found_out_about(path: Path) -> None:
    with Store.writing(path) as store:
        intended(store, COME, found=())
        intended(store, found=(), after=FIVE_MINUTES)
        intended(store, found=(NEW,), after=2 * FIVE_MINUTES)
    assert history(path) == []


def test_a_target_that_is_cleared_may_have_been_changed(path: Path) -> None:
    with Store.writing(path) as store:
        intended(store, COME, found=())
        store.forget_target("web/memory", T0)
        assert history(path) == [(*ADDED[:4], 0)]
        intended(store, found=(NEW,), after=FIVE_MINUTES)
    assert len(history(path)) == 1


def test_what_was_meant_elsewhere_is_not_judged_by_what_is_here(path: Path) -> None:
    """The same name with another place is another target."""
    with Store.writing(path) as store:
        intended(store, COME, found=())
        elsewhere = replace(WEB, places=(THERE,), written={"port": 1})
        record = RunRecord(T0 + FIVE_MINUTES, offline=False, hosts={}, configured=frozenset(),
                        targets=((elsewhere, TargetMemory()),),
                        found={"web/memory": frozenset({NEW})})  # fmt: skip
        store.intend(record)
        assert history(path) == []
        (former,) = store.targets().keys() - {"web/memory"}
        store.forget_target(former, T0)
    assert history(path) == [(*ADDED[:4], 0)]


def test_what_a_target_held_when_it_was_cleared_was_taken_out_then(path: Path) -> None:
    holding = TargetMemory((entry("81.2.69.1", "alice"), entry("81.2.69.7", "alice", "bob")))
    cleared = T0 + FIVE_MINUTES
    with Store.writing(path) as store:
        intended(store, found=())
        store.confirm([("web/memory", holding)], [], T0, told=["web/memory"])
        store.forget_target("web/other", cleared)
        assert history(path) == []
        store.forget_target("web/memory", cleared)
        changes = store.past(T0).changes
    assert changes == tuple(
        PastChange(cleared, "web/memory", "remove", one, "cleared") for one in holding.entries
    )


def test_what_is_put_in_after_a_clear_was_not_missing(path: Path) -> None:
    holding = TargetMemory((COME.entry,))
    with Store.writing(path) as store:
        intended(store, COME, found=())
        store.confirm([("web/memory", holding)], [COME], T0, told=["web/memory"])
        store.forget_target("web/memory", T0 + FIVE_MINUTES)
        store.confirm([], [COME], T0 + 2 * FIVE_MINUTES)
        store.confirm([], [COME], T0 + 3 * FIVE_MINUTES)
        again = [one.again for one in store.past(T0).changes]
    assert again == [False, False, False, True], "only the last one was missing"


def test_what_is_put_in_at_another_place_was_not_missing_there(path: Path) -> None:
    elsewhere = replace(WEB, places=(THERE,), written={"port": 1})
    with Store.writing(path) as store:
        intended(store, COME, found=())
        store.confirm([], [COME], T0, told=["web/memory"])
        record = RunRecord(T0 + FIVE_MINUTES, offline=False, hosts={}, configured=frozenset(),
                        targets=((elsewhere, TargetMemory()),))  # fmt: skip
        store.intend(record)
        store.confirm([], [COME], T0 + FIVE_MINUTES)
        first, second = store.past(T0).changes
        (former,) = store.targets().keys() - {"web/memory"}
    assert (first.target, second.target) == (former, "web/memory")
    assert not second.again
