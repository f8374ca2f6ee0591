"""What is said when nft cannot be run is what happened; to install it helps where it is missing."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.nftables import tool

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.system import process as programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

SAID = "nft could not be started: Too many open files"


@pytest.fixture
def full() -> Iterator[None]:
    """No file can be opened any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_change_that_could_not_begin_is_no_change_and_nft_is_not_called_missing(
    full: None,
) -> None:
    with pytest.raises(BackendError) as raised:
        tool.load("add table inet x\n")
    assert not isinstance(raised.value, OutcomeUnknown)
    assert str(raised.value) == SAID


def test_a_question_that_could_not_be_asked_is_told_as_it_is(full: None) -> None:
    with pytest.raises(BackendError, match=SAID):
        tool.ask("list", "tables")
    assert tool.usable() == SAID


def test_where_there_is_no_nft_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PATH", str(tmp_path))
    assert tool.usable() == tool.MISSING
    with pytest.raises(BackendError) as raised:
        tool.ask("list", "tables")
    assert str(raised.value) == tool.MISSING
    with pytest.raises(BackendError) as raised:
        tool.load("")
    assert str(raised.value) == tool.MISSING


def test_a_change_that_took_too_long_may_have_been_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "TIMEOUT", 0.0)
    with pytest.raises(OutcomeUnknown, match="did not finish within 0 s"):
        tool.load("")


TABLES: Final = """add table ip empty
table inet off { flags dormant; chain other { }; }
table ip6 named { comment "table ip other"; }
table inet lists { set banned { type ipv4_addr; elements = { %s }; }; }
"""


def test_tables_are_named_without_reading_what_sets_hold(inside: Namespace, tmp_path: Path) -> None:
    inside.nft(TABLES % ", ".join(f"81.2.{one // 250}.{one % 250}" for one in range(10_000)))
    inside.command("iptables-nft", "-N", "table")
    assert inside.run(tool.tables) == {
        *("ip empty", "inet off", "ip6 named", "inet lists", "ip filter"),
    }
    program = "from allowsync_backends.nftables import tool; tool.tables()"
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-qq", "-e", "trace=recvmsg,recvfrom", "-o", str(trace))
    inside.command(*strace, sys.executable, "-c", program)
    assert 0 < len(trace.read_text().splitlines()) < 20
