"""A backend made of reading and writing keeps every promise, and failures mean what they should."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend import BackendError, Capabilities, OutcomeUnknown
from allowsync.backend.simple import SimpleBackend
from allowsync.backend.tool import run_tool
from allowsync.model import Entry
from allowsync.plan import Plan
from allowsync.testing.contract import BackendContract

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from allowsync.backend import Backend
    from allowsync.model import Network


class FileStore:
    """A file with one network a line; it does not exist before anything is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Iterable[Entry]:
        try:
            return [Entry(ip_network(line)) for line in self.path.read_text().splitlines()]
        except FileNotFoundError:
            return []

    def write(self, entries: Sequence[Entry]) -> None:
        draft = self.path.with_name("draft")
        draft.write_text("".join(f"{entry.network}\n" for entry in entries))
        draft.replace(self.path)


class TestSimpleBackend(BackendContract):
    @pytest.fixture(autouse=True)
    def target(self, tmp_path: Path) -> None:
        self.path = tmp_path / "friends"

    def make(self) -> Backend:
        return SimpleBackend(FileStore(self.path), Capabilities(atomic=True, overlaps=True))

    def fingerprint(self) -> object:
        return self.path.stat().st_ino, self.path.read_text()

    def neighbour(self) -> None:
        """Its place is one allowlist's."""

    def plant(self) -> Iterable[Network]:
        self.path.with_name("enemies").write_text("203.0.113.9\n")
        return []

    def foreign(self) -> object:
        enemies = self.path.with_name("enemies")
        return enemies.read_text() if enemies.exists() else None


def test_errors_of_the_system_are_errors_of_the_backend(tmp_path: Path) -> None:
    (tmp_path / "friends").mkdir()
    backend = SimpleBackend(FileStore(tmp_path / "friends"))
    with pytest.raises(BackendError, match="could not be read: Is a directory"):
        backend.read()
    with pytest.raises(BackendError, match="not changed, or only in part: Is a directory"):
        backend.apply(Plan("x", add=(Entry(ip_network("81.2.69.1")),)))
    (finding,) = backend.check()
    assert "could not be read" in finding.what


def test_a_tool_that_fails_changed_nothing_and_one_that_is_killed_may_have() -> None:
    assert run_tool("cat", stdin="in") == "in"
    with pytest.raises(BackendError, match="ls failed: ls: cannot access"):
        run_tool("ls", "/nowhere/at/all")
    with pytest.raises(BackendError, match="is not installed"):
        run_tool("no-such-tool")
    for argv, timeout in ((("sh", "-c", "kill -9 $$"), 5.0), (("sleep", "9"), 0.1)):
        with pytest.raises(OutcomeUnknown):
            run_tool(*argv, timeout=timeout)
