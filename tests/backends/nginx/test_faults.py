"""What goes wrong around nginx: whoever is in stays in, and what is said is what is known."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.file.backend import FileBackend
from allowsync_backends.file.syntax import header
from allowsync_backends.nginx import Style
from allowsync_backends.nginx.syntax import AllowSyntax
from allowsync_backends.server import reader

from allowsync.backend import Backend, BackendError, OutcomeUnknown, Severity
from tests.backends.nginx.test_requests import FORBIDDEN, GUARDED
from tests.support.gates import planned
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.netns import Namespace
from tests.support.nginxes import PORT, Nginx
from tests.support.requests import OK, apply_one, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.model import Network

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

LAN = "192.168.1.0/24"


class Mistaken(AllowSyntax):
    """Writes what nginx does not take."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        return f"# {header(allowlist)}\nallow {' '.join(map(str, networks))} friend;\n"


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


@pytest.fixture
def nginx(tmp_path: Path, inside: Namespace) -> Iterator[Nginx]:
    """One that runs, and lets the friend in."""
    server = Nginx(tmp_path, inside)
    server.configure(GUARDED[Style.ALLOW])
    put(server, FRIEND)
    server.start()
    yield server
    server.stop()


def put(nginx: Nginx, *wanted: str, backend: Backend | None = None) -> None:
    assert nginx.inside is not None
    networks = [ip_network(one) for one in wanted]
    nginx.inside.run(apply_one, backend or nginx.backend(), networks)


def fails(nginx: Nginx, *wanted: str, backend: Backend | None = None) -> BackendError:
    """A change that does not succeed, and what is said of it."""
    before = nginx.path.read_bytes()
    with pytest.raises(BackendError) as raised:
        put(nginx, *wanted, backend=backend)
    assert nginx.path.read_bytes() == before
    return raised.value


def all_is_well(nginx: Nginx) -> bool:
    """Whether the friend is in, the stranger is not, and nothing is left over."""
    assert nginx.inside is not None
    seen = [status(nginx.inside, one, PORT) for one in (FRIEND, STRANGER)]
    return seen == [OK, FORBIDDEN] and list(nginx.path.parent.iterdir()) == [nginx.path]


def test_a_file_nginx_does_not_take_is_rolled_back_before_it_is_told(nginx: Nginx) -> None:
    workers = nginx.workers()
    backend = nginx.backend()
    assert isinstance(backend, FileBackend)
    error = fails(nginx, LAN, backend=replace(backend, syntax=Mistaken()))
    assert re.search(r"nginx failed with exit code 1 \(.*friends\.conf:2.*\)", str(error))
    assert str(error).endswith("; the old file is back in force")
    assert not isinstance(error, OutcomeUnknown)
    assert nginx.workers() == workers
    assert all_is_well(nginx)


def test_a_mistake_in_another_file_is_named_and_nothing_is_changed(nginx: Nginx) -> None:
    good = nginx.config.read_text()
    nginx.config.write_text(good.replace("worker_processes 2", "worker_processes two"))
    error = fails(nginx, LAN)
    assert "nginx.conf" in str(error)
    assert all_is_well(nginx)
    nginx.config.write_text(good)
    put(nginx, FRIEND, LAN)
    assert all_is_well(nginx)


@pytest.mark.parametrize(("key", "code"), [("check", 4), ("reload", 5)])
def test_commands_of_somebodys_own_that_fail_bring_the_old_file_back(
    nginx: Nginx, key: str, code: int
) -> None:
    script = nginx.folder / "picky"
    script.write_text(f"#!/bin/sh\ngrep -q {LAN} {nginx.path} && exit {code} || exit 0\n")
    script.chmod(0o755)
    own: dict[str, Any] = {key: (str(script),)}
    error = fails(nginx, FRIEND, LAN, backend=nginx.backend(**own))
    assert f"exit code {code}" in str(error)
    assert "the old file is back in force" in str(error)
    assert all_is_well(nginx)


def test_a_reload_that_fails_although_the_check_did_not_is_unknown_and_made_up_for(
    nginx: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a port can be had is seen only when nginx takes it."""
    assert nginx.inside is not None
    monkeypatch.setattr(reader, "PATIENCE", 1.0)
    good = nginx.config.read_text()
    with nginx.inside.run(socket.create_server, (SERVER, 99)):
        ours = f"listen {SERVER}:{PORT};"
        nginx.config.write_text(good.replace(ours, f"{ours} listen {SERVER}:99;"))
        error = fails(nginx, LAN)
        assert isinstance(error, OutcomeUnknown)
        assert "has started no new process within 1 s; the old file is back, but" in str(error)
        assert status(nginx.inside, FRIEND, PORT) == OK
        (flaw,) = nginx.backend().read().flaws
        assert "was not confirmed" in flaw
    nginx.config.write_text(good)
    monkeypatch.undo()
    put(nginx, FRIEND)
    assert all_is_well(nginx)


def test_a_file_changed_by_hand_is_put_right_and_taken_notice_of(nginx: Nginx) -> None:
    assert nginx.inside is not None
    by_hand = nginx.path.read_text().replace("deny all", f"allow {STRANGER};  # a guest\ndeny all")
    nginx.path.write_text(by_hand)
    os.kill(nginx.pid, signal.SIGHUP)
    while status(nginx.inside, STRANGER, PORT) != OK:
        time.sleep(0.01)
    assert nginx.backend().read().flaws == (f"{nginx.path} was edited",)
    put(nginx, FRIEND)
    assert all_is_well(nginx)


def test_a_file_that_is_not_allowsyncs_is_left_alone(nginx: Nginx) -> None:
    nginx.path.write_text("allow all;\n")
    with pytest.raises(BackendError, match="was not written by allowsync"):
        put(nginx, FRIEND)
    assert nginx.path.read_text() == "allow all;\n"


def test_a_missing_folder_is_an_error_that_changes_nothing(nginx: Nginx) -> None:
    shutil.move(nginx.path.parent, nginx.folder / "moved")
    with pytest.raises(BackendError, match="cannot be opened"):
        put(nginx, LAN)
    shutil.move(nginx.folder / "moved", nginx.path.parent)
    assert all_is_well(nginx)


def test_a_folder_that_cannot_be_written_changes_nothing(nginx: Nginx) -> None:
    folder = str(nginx.path.parent)
    backend = nginx.backend()
    with Namespace() as walled:
        walled.keep_mounts()
        walled.command("mount", "--bind", "-o", "ro", folder, folder)
        plan = planned(walled.run(backend.read), [ip_network(LAN)])
        with pytest.raises(BackendError, match="was not changed: Read-only file system"):
            walled.run(backend.apply, plan)
    assert all_is_well(nginx)


def test_a_server_that_does_not_run_reads_the_file_when_it_starts(nginx: Nginx) -> None:
    nginx.stop()
    put(nginx, FRIEND, LAN)
    put(nginx, FRIEND)
    nginx.start()
    assert all_is_well(nginx)
    workers = nginx.workers()
    put(nginx, FRIEND, LAN)
    assert set(nginx.workers()).isdisjoint(workers)
    assert all_is_well(nginx)


def test_a_server_that_was_killed_leaves_a_pid_file_that_is_nobodys(nginx: Nginx) -> None:
    workers = nginx.workers()
    for pid in (nginx.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    nginx.stop()
    assert nginx.pid_file.read_text().strip()
    put(nginx, FRIEND, LAN)
    (finding,) = (one for one in nginx.backend().check() if one.severity is Severity.WARNING)
    assert "does not run" in finding.what
    nginx.start()
    put(nginx, FRIEND)
    assert all_is_well(nginx)


def test_a_file_that_is_included_is_not_cleared(nginx: Nginx) -> None:
    """Without it, nginx could not be started again."""
    assert nginx.inside is not None
    with pytest.raises(BackendError, match="cannot be removed as long as it is used"):
        nginx.inside.run(nginx.backend().clear)
    assert all_is_well(nginx)
    nginx.configure(GUARDED[Style.ALLOW].replace("include ours/friends.conf;", "deny all;"))
    nginx.inside.run(nginx.backend().clear)
    assert list(nginx.path.parent.iterdir()) == []
    assert status(nginx.inside, FRIEND, PORT) == FORBIDDEN


def test_nothing_changed_is_nothing_done(nginx: Nginx) -> None:
    workers, written = nginx.workers(), nginx.path.stat()
    put(nginx, FRIEND)
    assert (nginx.workers(), nginx.path.stat()) == (workers, written)


def test_the_check_itself_leaves_an_empty_pid_file_which_means_nobody(nginx: Nginx) -> None:
    nginx.stop()
    argv = ("nginx", "-t", "-q", "-c", str(nginx.config))
    assert nginx.inside is not None
    nginx.inside.run(lambda: subprocess.run(argv, check=True, capture_output=True))
    assert nginx.pid_file.read_bytes() == b""
    put(nginx, FRIEND, LAN)
