"""An installation for every test of the whole program."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.cli import run_command_line
from allowsync.state.files import last_run_marks, take_mark
from testkit.fake_dns.nameserver import NameServer
from tests.support.days import START, clock_at, days
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.days import Days


ALICE_AND_BOB: dict[str, object] = {
    name: {"hostname": f"{name}.example.org", "families": ["ipv4"]} for name in ("alice", "bob")
}


@pytest.fixture
def zones() -> dict[str, object]:
    return {
        "alice.example.org": ["81.2.69.1", "2a01:4f8:1:2::7"],
        "bob.example.org": ["81.2.69.2"],
        "parents.example.org": ["2a01:4f8:9:9::1"],
    }


@pytest.fixture
def here(tmp_path: Path, zones: dict[str, object]) -> Iterator[Installation]:
    with NameServer(zones) as server:
        yield Installation(
            tmp_path,
            server,
            hosts={
                "alice": "alice.example.org",
                "bob": "bob.example.org",
                "parents": {"hostname": "parents.example.org", "ipv6_prefix": 56},
            },
        )


@pytest.fixture
def over_days(here: Installation, capsys: pytest.CaptureFixture[str]) -> Iterator[Days]:
    """Alice and Bob, with one IPv4 address each, and a clock that the test sets."""
    here.hosts = dict(ALICE_AND_BOB)
    with days(here, capsys) as clocked:
        yield clocked


@dataclass(frozen=True)
class Moved:
    """Where Alice moved: the folder of the installation, a copy of it, and a name server."""

    folder: Path
    kept: Path
    server: NameServer

    def installation(self, zones: dict[str, object]) -> Installation:
        """The installation as it was when Alice had moved, in its place."""
        self.server.zones = zones
        zones["alice.example.org"] = ["81.2.69.7"]
        shutil.rmtree(self.folder, ignore_errors=True)
        take_mark(last_run_marks(self.folder / "state" / "state.db")[1])
        shutil.copytree(self.kept, self.folder)
        return Installation(self.folder, self.server, hosts=dict(ALICE_AND_BOB))


@pytest.fixture(scope="module")
def once_moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """Five runs, of which the second was the first to hear of the new address."""
    folder = tmp_path_factory.mktemp("moved")
    zones: dict[str, object] = {
        "alice.example.org": ["81.2.69.1"],
        "bob.example.org": ["81.2.69.2"],
    }
    with NameServer(zones) as server:
        here = Installation(folder / "here", server, hosts=dict(ALICE_AND_BOB))
        here.folder.mkdir()
        here.write()
        with clock_at(START) as clock:
            # What it imports takes time, and the clock ticks: the runs begin when they should.
            assert run_command_line(["apply", "--dry-run", "--config", str(here.path)]) == 0
            for minutes in (0, 60, 70, 80, 90):
                clock.move_to(START + timedelta(minutes=minutes))
                assert run_command_line(["apply", "--config", str(here.path)]) == 0
                zones["alice.example.org"] = ["81.2.69.7"]
        shutil.copytree(here.folder, folder / "kept")
        yield Moved(here.folder, folder / "kept", server)


@pytest.fixture
def moved(
    once_moved: Moved, zones: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> Iterator[Days]:
    """Alice moved an hour after the first run; her former address has been let go since."""
    with days(once_moved.installation(zones), capsys) as clocked:
        yield clocked.at(90.002)
