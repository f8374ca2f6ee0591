"""Whether somebody is there: what the one who watches hears, and what it makes of silence."""

from __future__ import annotations

import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from allowsync.engine.rollback import watchdog as confirm
from allowsync.engine.rollback.watchdog import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 0


@pytest.fixture
def line() -> Iterator[tuple[Watch, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Watch(ours), theirs


def listen(theirs: socket.socket, wait: float = 60.0, asker: int = NOBODY) -> bool:
    return confirm._confirmed(theirs, wait, asker)


def test_a_yes_after_it_was_applied_is_one(line: tuple[Watch, socket.socket]) -> None:
    ours, theirs = line
    ours.channel.sendall(b"ak")
    assert listen(theirs)


@pytest.mark.parametrize("words", [b"ar", b"r", b"a?", b"rk"])
def test_any_other_word_is_none(line: tuple[Watch, socket.socket], words: bytes) -> None:
    ours, theirs = line
    ours.channel.sendall(words)
    assert not listen(theirs)


def test_silence_is_none(line: tuple[Watch, socket.socket]) -> None:
    ours, theirs = line
    ours.applied()
    assert not listen(theirs, wait=0.01)


def test_whoever_is_gone_says_no(
    line: tuple[Watch, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirm, "AFTERMATH", 0.0)
    ours, theirs = line
    ours.channel.close()
    assert not listen(theirs)


def test_a_run_that_hangs_is_ended_before_it_is_put_back(
    line: tuple[Watch, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirm, "AFTERMATH", 0.0)
    monkeypatch.setattr(confirm, "LONGEST_RUN", 0.0)
    _, theirs = line
    hanging = subprocess.Popen(["sleep", "600"])
    try:
        assert not listen(theirs, wait=0.01, asker=hanging.pid)
        assert hanging.wait(30) == -signal.SIGKILL
    finally:
        hanging.kill()
        hanging.wait()


def test_without_a_verdict_nothing_is_claimed(line: tuple[Watch, socket.socket]) -> None:
    ours, theirs = line
    theirs.close()
    verdict = ours.keep()
    assert not verdict.kept
    assert "could not confirm the rollback" in verdict.problem
