"""What stands beside a state is looked at before SQLite believes it, by all who open one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.state import StateDamaged, StateError, StateUnwritable, Store
from allowsync.state.files import last_run_marks
from allowsync.state.private_copy import is_whole
from tests.support.journals import craft, killed_while_writing
from tests.support.values import T0

if TYPE_CHECKING:
    from collections.abc import Callable

OPENERS = {"to write": Store.writing, "to read": Store.reading}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "lib" / "state.db"
    with Store.writing(path) as store:
        store.set_unconfirmed(["web/file"], T0)
    return path


@pytest.mark.parametrize("opened", OPENERS.values(), ids=OPENERS)
def test_a_journal_that_names_a_file_deletes_nothing(
    state: Path, tmp_path: Path, opened: Callable[[Path], Store]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    craft(state, precious)
    with pytest.raises(StateDamaged, match="names another file"):
        opened(state)
    assert precious.exists()
    Store.nothing(state).set_aside(T0)
    Store.writing(state).close()
    assert precious.exists()


def test_the_crafted_journal_works_on_sqlite_itself(state: Path, tmp_path: Path) -> None:
    """Or the test before this one would show nothing."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    craft(state, precious)
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("SELECT * FROM runs").fetchall()
    assert not precious.exists()


@pytest.mark.parametrize("opened", OPENERS.values(), ids=OPENERS)
@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo"])
def test_what_is_no_file_of_ours_is_not_opened(
    state: Path, tmp_path: Path, suffix: str, kind: str, opened: Callable[[Path], Store]
) -> None:
    other, beside = tmp_path / "other", state.with_name(state.name + suffix)
    other.write_text("other")
    if kind == "symlink":
        beside.symlink_to(other)
    elif kind == "hard link":
        os.link(other, beside)
    else:
        os.mkfifo(beside)
    with pytest.raises(StateDamaged, match="allowsync did not make"):
        opened(state)
    assert other.read_text() == "other"


@pytest.mark.root
def test_root_writes_into_no_second_name_of_a_file(state: Path, as_root: None) -> None:
    os.link(state, state.with_name("second"))
    with pytest.raises(StateUnwritable, match="hard link"):
        Store.writing(state)
    assert Store.reading(state).unconfirmed() == {"web/file": T0}


def test_who_reads_sees_what_was_there_before_a_run_that_was_killed(state: Path) -> None:
    before = state.read_bytes()
    killed_while_writing(state)
    found = {one.name: one.read_bytes() for one in state.parent.iterdir()}
    with Store.reading(state) as store:
        assert store.unconfirmed() == {"web/file": T0}
    assert {one.name: one.read_bytes() for one in state.parent.iterdir()} == found
    Store.writing(state).close()
    assert state.read_bytes() == before


def test_without_room_for_a_copy_it_is_said_and_nothing_is_guessed(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_while_writing(state)
    monkeypatch.setattr("allowsync.state.private_copy._FOLDERS", ("/proc",))
    with pytest.raises(StateError, match="no room"):
        Store.reading(state)


def test_a_database_is_whole_or_it_is_not(state: Path) -> None:
    assert is_whole(state)
    whole = state.read_bytes()
    for size in (0, 1, 100, 4096, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        state.write_bytes(whole[:size])
        assert not is_whole(state), size
    state.write_bytes(whole)
    killed_while_writing(state)
    assert is_whole(state)
    state.unlink()
    assert not is_whole(state)


@pytest.mark.parametrize("noted", ["", "x", "-1 -1", "2 1", "1 2 3", "9" * 30, "9" * 5000])
def test_a_note_of_the_last_run_that_none_wrote_is_none(state: Path, noted: str) -> None:
    with Store.writing(state) as store:
        store.note_run(datetime.now(UTC))
        assert store.forgotten_run() is not None
        beside, until_restart = map(Path, last_run_marks(state))
        until_restart.unlink()
        beside.write_text(noted)
        if noted:
            until_restart.symlink_to(noted[:4095])
        assert store.forgotten_run() is None


def test_each_note_of_the_last_run_is_enough_and_both_are_taken_away(state: Path) -> None:
    latest = datetime(2031, 5, 1, tzinfo=UTC)
    with Store.writing(state) as store:
        for lost in (0, 1):
            store.note_run(datetime(2026, 5, 1, tzinfo=UTC))
            store.note_run(latest)
            Path(last_run_marks(state)[lost]).unlink()
            assert store.forgotten_run() == latest
        store.note_run(latest)
        store.forget_runs()
        assert store.forgotten_run() is None


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_note_is_neither_waited_for_nor_followed(state: Path, kind: str) -> None:
    elsewhere = state.with_name("elsewhere")
    elsewhere.write_text("1 2\n")
    beside = Path(last_run_marks(state)[0])
    if kind == "pipe":
        os.mkfifo(beside)
    elif kind == "link":
        beside.symlink_to(elsewhere)
    else:
        beside.mkdir()
    with Store.writing(state) as store:
        store.note_run(datetime.now(UTC))
        Path(last_run_marks(state)[1]).unlink()
        assert store.forgotten_run() is None
    assert elsewhere.read_text() == "1 2\n"
