"""When a graceful restart is over, told by which processes are there from one look to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server import reader
from allowsync_backends.common.server.reader import ServerProgram, ServerReader
from allowsync_backends.common.server.supervisor import ReloadMethod, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.target import Finding

MAIN, OLD, ALSO_OLD, SPAWNED, NEW = 1, 2, 3, 4, 5


@dataclass
class Scripted:
    """A server whose processes are told look by look; after the last one, it stays so."""

    looks: list[set[int]]
    told: int = field(default=0, init=False)

    def state(self) -> State:
        return State.RUNNING if self.looks[0] else State.STOPPED

    def processes(self) -> frozenset[int]:
        seen = frozenset(self.looks[0])
        if len(self.looks) > 1:
            del self.looks[0]
        return seen

    def inside(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        return argv

    def tell(self, notice: ReloadMethod) -> str:
        self.told += 1
        return ""

    def findings(self, path: Path) -> Iterator[Finding]:
        return iter(())


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PATIENCE": 0.2, "LINGER": 0.05, "SETTLE": 0.0, "STEP": 0.0}.items():
        monkeypatch.setattr(reader, name, seconds)


def said(*looks: set[int], spawns: bool = True) -> str:
    server = ServerProgram("apache", ("true",), ReloadMethod(), True, lambda _: (), spawns=spawns)
    running = Scripted([{MAIN, OLD, ALSO_OLD}, *looks])
    answer = ServerReader(server, running).take_notice()
    assert running.told == 1
    return answer


def test_new_processes_that_stay_are_a_restart() -> None:
    assert said({MAIN, OLD}, {MAIN}, {MAIN, NEW}) == ""


def test_a_former_process_with_something_to_finish_is_not_waited_for_for_ever() -> None:
    assert said({MAIN, OLD, ALSO_OLD, NEW}) == ""


def test_a_process_it_started_unasked_goes_with_the_former_ones() -> None:
    looks = ({MAIN, OLD, ALSO_OLD, SPAWNED}, {MAIN}, {MAIN})
    for spawns in (True, False):
        assert "has started no new process within 0.2 s" in said(*looks, spawns=spawns)
    assert said(*looks, {MAIN, NEW}) == ""


def test_a_server_that_ends_is_told() -> None:
    ended = "apache exited during the reload"
    assert said({MAIN, OLD, ALSO_OLD}, {MAIN}, set()) == ended
    assert said({MAIN, OLD, ALSO_OLD, SPAWNED}, {MAIN}, {MAIN}, set()) == ended
