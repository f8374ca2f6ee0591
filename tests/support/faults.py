"""What goes wrong around a server, whichever it is: one class of tests for all of them.

Subclass `Faults` and say how the server is made; pytest runs every test once for each subclass.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Severity
from tests.support.files import as_written
from tests.support.gates import planned
from tests.support.internet import FRIEND, STRANGER
from tests.support.netns import Namespace
from tests.support.requests import OK, apply_one, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.syntax import Syntax

    from tests.support.servers import Served

LAN = "192.168.1.0/24"


def put(server: Served, *wanted: str, backend: FileBackend | None = None) -> None:
    """Let exactly these networks be on the list."""
    networks = [ip_network(one) for one in wanted]
    server.inside.run(apply_one, backend or server.backend(), networks)


class Faults:
    """Whoever is in stays in, and what is said is what is known."""

    PORT: ClassVar[int]
    REFUSED: ClassVar[int]  # the status a stranger gets
    MISTAKEN: ClassVar[Syntax]  # writes what the server does not take
    OBJECTION: ClassVar[str]  # what is said of that
    SPOILT: ClassVar[str]  # a line its configuration must not have
    server: Served

    def make(self, inside: Namespace, folder: Path) -> Served:
        """A server with a configuration that goes by our file, not started yet."""
        raise NotImplementedError

    def without(self) -> None:
        """Write a configuration that lets nobody in, and does not name our file."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def running(self, as_root: None, tmp_path: Path) -> Iterator[None]:
        """It runs, and lets the friend in."""
        with neighbourhood() as inside:
            self.server = self.make(inside, tmp_path)
            put(self.server, FRIEND)
            self.server.start()
            yield
            self.server.stop()

    def asked(self, source: str) -> int:
        return status(self.server.inside, source, self.PORT)

    def is_well(self) -> None:
        """The friend is in, the stranger is not, and nothing is left over."""
        assert [self.asked(FRIEND), self.asked(STRANGER)] == [OK, self.REFUSED]
        path = self.server.path
        assert list(path.parent.iterdir()) == [path]

    def fails(self, *wanted: str, backend: FileBackend | None = None) -> BackendError:
        """A change that does not succeed, and what is said of it."""
        before = self.server.path.read_bytes()
        with pytest.raises(BackendError) as raised:
            put(self.server, *wanted, backend=backend)
        assert self.server.path.read_bytes() == before
        return raised.value

    def test_a_file_it_does_not_take_is_rolled_back_before_it_is_told(self) -> None:
        mark = self.server.mark()
        error = self.fails(LAN, backend=replace(self.server.backend(), syntax=self.MISTAKEN))
        assert re.search(self.OBJECTION, str(error))
        assert str(error).endswith("; the old file is back in force")
        assert not isinstance(error, OutcomeUnknown)
        assert self.server.mark() == mark
        self.is_well()

    def test_a_mistake_in_another_file_is_named_and_nothing_is_changed(self) -> None:
        good = self.server.config.read_text()
        self.server.config.write_text(good + self.SPOILT)
        assert self.server.config.name in str(self.fails(LAN))
        self.is_well()
        self.server.config.write_text(good)
        put(self.server, FRIEND, LAN)
        self.is_well()

    @pytest.mark.parametrize(("key", "code"), [("check", 4), ("reload", 5)])
    def test_commands_of_somebodys_own_that_fail_bring_the_old_file_back(
        self, key: str, code: int
    ) -> None:
        script = self.server.folder / "picky"
        script.write_text(f"#!/bin/sh\ngrep -q {LAN} {self.server.path} && exit {code} || exit 0\n")
        script.chmod(0o755)
        picky: dict[str, Any] = {key: (str(script),)}
        error = self.fails(FRIEND, LAN, backend=self.server.backend(**picky))
        assert f"exit code {code}; the old file is back in force" in str(error)
        self.is_well()

    def test_a_file_changed_by_hand_is_put_right(self) -> None:
        path = self.server.path
        text = path.read_text()
        path.write_text(text.replace(FRIEND, "198.51.100.1"))
        assert self.server.backend().read().flaws == ()  # a network like any other
        path.write_text(text + "# by hand\n")
        assert self.server.backend().read().flaws == (f"{path} was edited",)
        put(self.server, FRIEND)
        assert path.read_text() == text
        self.is_well()

    def test_a_file_that_is_not_allowsyncs_is_left_alone(self) -> None:
        self.server.path.write_text("# mine\n")
        with pytest.raises(BackendError, match="was not written by allowsync"):
            put(self.server, FRIEND)
        assert self.server.path.read_text() == "# mine\n"

    def test_a_missing_folder_is_an_error_that_changes_nothing(self) -> None:
        folder = self.server.path.parent
        shutil.move(folder, self.server.folder / "moved")
        with pytest.raises(BackendError, match="does not exist; make it"):
            put(self.server, LAN)
        shutil.move(self.server.folder / "moved", folder)
        self.is_well()

    def test_a_folder_that_cannot_be_written_changes_nothing(self) -> None:
        folder = str(self.server.path.parent)
        backend = self.server.backend()
        with Namespace() as walled:
            walled.keep_mounts()
            walled.command("mount", "--bind", "-o", "ro", folder, folder)
            plan = planned(walled.run(backend.read), [ip_network(LAN)])
            with pytest.raises(BackendError, match="was not changed: Read-only file system"):
                walled.run(backend.apply, plan)
        self.is_well()

    def test_a_server_that_does_not_run_reads_the_file_when_it_starts(self) -> None:
        self.server.stop()
        put(self.server, STRANGER)
        put(self.server, FRIEND)
        self.server.start()
        self.is_well()
        mark = self.server.mark()
        put(self.server, FRIEND, LAN)
        assert self.server.mark() != mark
        self.is_well()

    def test_a_server_that_was_killed_leaves_a_pid_file_that_is_nobodys(self) -> None:
        self.server.kill()
        put(self.server, FRIEND, LAN)
        found = self.server.inside.run(self.server.backend().check)
        assert any("does not run" in one.what for one in found if one.severity is Severity.WARNING)
        self.server.start()
        put(self.server, FRIEND)
        self.is_well()

    def test_a_file_that_is_used_is_not_cleared(self) -> None:
        """Without it, the server could not be started again."""
        with pytest.raises(BackendError, match="cannot be removed as long as it is used"):
            self.server.inside.run(self.server.backend().clear)
        self.is_well()
        self.without()
        self.server.inside.run(self.server.backend().clear)
        assert list(self.server.path.parent.iterdir()) == []
        assert (self.server.runs, self.asked(FRIEND)) == (True, self.REFUSED)

    def test_nothing_changed_is_nothing_done(self) -> None:
        mark, written = self.server.mark(), as_written(self.server.path)
        put(self.server, FRIEND)
        assert (self.server.mark(), as_written(self.server.path)) == (mark, written)

    def test_all_is_well_is_nothing_to_find(self) -> None:
        found = self.server.inside.run(self.server.backend().check)
        assert [one for one in found if one.severity is not Severity.INFO] == []
