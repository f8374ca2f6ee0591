"""Priorities are written for the journal alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from allowsync.system.journald import ERROR, marked, read_by_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "stream", os.O_CREAT | os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


def journal(descriptor: int) -> str:
    found = os.fstat(descriptor)
    return f"{found.st_dev}:{found.st_ino}"


def test_the_journal_is_known_by_its_device_and_inode(stream: int) -> None:
    assert read_by_journal(stream, {"JOURNAL_STREAM": journal(stream)})


@pytest.mark.parametrize("said", ["", "0:0", "what", ":", "1:2:3"])
def test_a_stream_that_was_redirected_is_not_the_journal(stream: int, said: str) -> None:
    assert not read_by_journal(stream, {"JOURNAL_STREAM": said})
    assert not read_by_journal(stream, {})


def test_a_stream_that_is_closed_is_not_the_journal(stream: int) -> None:
    other = os.dup(stream)
    os.close(other)
    assert not read_by_journal(other, {"JOURNAL_STREAM": journal(stream)})


def test_a_line_is_marked_where_the_journal_reads_it(
    stream: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert marked("boom", ERROR, stream) == "boom"
    monkeypatch.setenv("JOURNAL_STREAM", journal(stream))
    assert marked("boom", ERROR, stream) == "<3>boom"
