"""One writer per account: whoever comes second waits, and gives up in time."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.account_lock import PATIENCE, one_writer
from allowsync_backends.cloudflare.errors import AccountBusy, Unsent
from allowsync_backends.cloudflare.time_budget import Budget, PollClock

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = "1" * 32, "2" * 32


class Time:
    """A clock that only goes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def budget(self, seconds: float = 240.0) -> Budget:
        return Budget.of(PollClock(lambda: self.now, self.sleep), seconds)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/state:/elsewhere")
    return tmp_path / "state"


def test_a_second_writer_waits_and_then_gives_up(folder: Path) -> None:
    time = Time()
    with one_writer(ONE, time.budget()):
        with pytest.raises(AccountBusy) as caught, one_writer(ONE, time.budget()):
            raise AssertionError
        assert PATIENCE - 1 < caught.value.waited <= PATIENCE
        assert "another process has been writing to this account" in str(caught.value)
    assert time.now < 1000 + PATIENCE + 1


def test_waiting_ends_with_the_time_there_is(folder: Path) -> None:
    time = Time()
    with (
        one_writer(ONE, time.budget()),
        pytest.raises(AccountBusy),
        one_writer(ONE, time.budget(5.0)),
    ):
        raise AssertionError
    assert time.now <= 1005


def test_accounts_do_not_wait_for_each_other(folder: Path) -> None:
    time = Time()
    with one_writer(ONE, time.budget()), one_writer(OTHER, time.budget()):
        assert time.now == 1000
    assert sorted(path.name for path in folder.iterdir()) == [
        f"cloudflare-{ONE}.lock",
        f"cloudflare-{OTHER}.lock",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_next_one_comes_in_when_the_first_has_gone_however_it_went(folder: Path) -> None:
    time = Time()
    with pytest.raises(ZeroDivisionError), one_writer(ONE, time.budget()):
        raise ZeroDivisionError
    with one_writer(ONE, time.budget()):
        assert time.now == 1000


def test_a_place_that_cannot_be_locked_changes_nothing(folder: Path) -> None:
    folder.mkdir()
    (folder / f"cloudflare-{ONE}.lock").symlink_to("/etc/passwd")
    with pytest.raises(Unsent, match="cannot be made"), one_writer(ONE, Time().budget()):
        raise AssertionError
