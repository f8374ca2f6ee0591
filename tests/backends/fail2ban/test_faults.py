"""What goes wrong around a Fail2ban: what is said then, and what is never lost."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from allowsync.model.target import Severity
from tests.support.fail2ban import Fail2ban, fail2ban
from tests.support.gates import allow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

FRIEND, MOVED = "81.2.69.142", "81.2.70.9"
CROWD = [f"90.0.{number}.0/24" for number in range(200)]

# Argument: the folder of the server. Lets two lists follow each other until it is killed.
RESTLESS = """
import sys
from ipaddress import ip_network
from pathlib import Path
from allowsync.backend.api import Placement
from allowsync.model.types import Entry
from allowsync.plan.planner import Plan
from allowsync_backends.fail2ban import TYPE, Fail2banOptions
folder = Path(sys.argv[1])
options = Fail2banOptions(jails=("door",), config=folder / "etc", socket=folder / "socket")
while True:
    for lists in ("81.2.69.142/32 90.1.0.0/24", "81.2.69.142/32 90.2.0.0/24"):
        backend = TYPE.make(Placement("x", "x/fail2ban"), options)
        entries = tuple(Entry(ip_network(one)) for one in lists.split())
        backend.apply(Plan("x", keep=entries, repair=("anew",)))
        print(".", end="", flush=True)
"""


@pytest.fixture
def idle(inside: Namespace, tmp_path: Path) -> Fail2ban:
    """A Fail2ban that does not run."""
    server = Fail2ban(inside, tmp_path)
    server.write()
    return server


@pytest.fixture
def server(inside: Namespace, tmp_path: Path) -> Iterator[Fail2ban]:
    with fail2ban(inside, tmp_path) as running:
        yield running


def put(server: Fail2ban, *wanted: str) -> tuple[str, ...]:
    return allow(server.inside, server.target().backend, *wanted).flaws


def recorded(server: Fail2ban) -> set[str]:
    """What the file holds, as Fail2ban shows it."""
    lines = server.file.read_text().splitlines()
    return {line.strip().removesuffix("/32") for line in lines if line.startswith("    ")}


def test_whenever_a_run_is_killed_all_that_is_in_force_is_in_the_file(server: Fail2ban) -> None:
    put(server, f"{FRIEND}/32")
    for number in range(5):
        argv = (sys.executable, "-c", RESTLESS, str(server.folder))
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as restless:
            assert restless.stdout is not None
            restless.stdout.read(1)
            # Now here and now there within the half second that a change takes.
            with contextlib.suppress(subprocess.TimeoutExpired):
                restless.wait(number * 0.1)
            restless.kill()
        assert FRIEND in server.ignored()
        assert set(server.ignored()) <= recorded(server)
    assert put(server, f"{MOVED}/32") == ()
    assert server.ignored() == [MOVED]


def test_a_server_that_is_killed_in_the_middle_is_an_error_or_no_server(server: Fail2ban) -> None:
    put(server, f"{FRIEND}/32")
    killing = threading.Timer(0.25, server.kill)
    killing.start()
    with contextlib.suppress(BackendError):
        while killing.is_alive():
            CROWD.append(CROWD.pop(0))
            put(server, f"{FRIEND}/32", *CROWD[:50])
    killing.join()
    put(server, f"{MOVED}/32")
    server.start()
    put(server, f"{MOVED}/32")
    assert server.ignored() == [MOVED]


@pytest.mark.parametrize("said", [b"", b"garbage", b"\x80\x04N.<F2B_END_COMMAND>"])
def test_somebody_else_at_the_socket_is_an_error_and_nothing_is_changed(
    idle: Fail2ban, said: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(idle.socket))
        listening.listen()
        threading.Thread(target=_answer, args=(listening, said), daemon=True).start()
        with pytest.raises(BackendError, match=r"Fail2ban does not answer|something else"):
            put(idle, f"{FRIEND}/32")
        listening.shutdown(socket.SHUT_RDWR)
    assert not idle.file.exists()


def _answer(listening: socket.socket, said: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            with listening.accept()[0] as somebody:
                somebody.recv(4096)
                somebody.sendall(said)


def test_a_socket_that_may_not_be_opened_is_not_taken_for_a_server_that_is_down(
    idle: Fail2ban,
) -> None:
    idle.socket.symlink_to(idle.socket)  # as nobody can open
    with pytest.raises(BackendError, match=r"socket cannot be used: Too many levels"):
        put(idle, f"{FRIEND}/32")


def test_a_server_that_listens_elsewhere_is_not_taken_for_one_that_is_down(
    server: Fail2ban,
) -> None:
    elsewhere = server.target(socket=server.folder / "wrong")
    with pytest.raises(BackendError, match=r"/wrong, but where its fail2ban\.conf says"):
        allow(server.inside, elsewhere.backend, f"{FRIEND}/32")
    assert not server.file.exists()


def test_without_the_client_nothing_is_changed(
    idle: Fail2ban, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync.system.process.PATH", str(tmp_path))
    missing = "fail2ban-client cannot be used; install the package fail2ban"
    with pytest.raises(BackendError, match=missing):
        put(idle, f"{FRIEND}/32")
    (finding,) = idle.target().check()
    assert (finding.severity, finding.what.startswith(missing)) == (Severity.ERROR, True)
    assert not idle.file.exists()


def test_a_configuration_that_fail2ban_does_not_take_is_told(idle: Fail2ban) -> None:
    put(idle, f"{FRIEND}/32")
    (idle.config / "jail.local").write_text("[door]\nignoreip = %(known/ignoreip)s\n")
    whats = [one.what for one in idle.target().check()]
    assert any("does not take its configuration: Failed during" in one for one in whats)


def test_nothing_is_forgotten_while_it_cannot_be_told_who_else_wants_it(server: Fail2ban) -> None:
    put(server, f"{FRIEND}/32")
    (server.config / "jail.local").write_text("[door]\nignoreip = %(nothing)s\n")
    with pytest.raises(BackendError, match="does not take its configuration"):
        put(server, f"{MOVED}/32")
    assert FRIEND in server.ignored()
    assert recorded(server) == {FRIEND, MOVED}
    (server.config / "jail.local").write_text("")
    assert put(server, f"{MOVED}/32") == ()
    assert (server.ignored(), recorded(server)) == ([MOVED], {MOVED})


def test_a_file_of_somebody_else_is_left_alone(server: Fail2ban) -> None:
    server.file.write_text("[DEFAULT]\nallowsync_x = 10.0.0.0/8\n")
    with pytest.raises(BackendError, match="was not written by allowsync"):
        put(server, f"{FRIEND}/32")
    server.target().clear()
    assert server.file.read_text().endswith("10.0.0.0/8\n")
    assert server.ignored() == []


def test_what_is_no_file_keeps_nobody_waiting(server: Fail2ban) -> None:
    os.mkfifo(server.file)
    with pytest.raises(BackendError, match="is no regular file and is left alone"):
        put(server, f"{FRIEND}/32")
    server.file.unlink()
    assert put(server, f"{FRIEND}/32") == ()
    assert server.ignored() == [FRIEND]


def test_a_file_changed_by_hand_is_put_right(server: Fail2ban) -> None:
    put(server, f"{FRIEND}/32")
    text = server.file.read_text()
    server.file.write_text(text + "[door]\nmaxretry = 1\n")
    assert server.target().read().flaws == (f"{server.file} was edited",)
    assert put(server, f"{FRIEND}/32") == ()
    assert server.file.read_text() == text


def test_a_network_written_in_by_hand_is_ours_and_goes(server: Fail2ban) -> None:
    put(server, f"{FRIEND}/32")
    server.file.write_text(server.file.read_text() + f"    {MOVED}/32\n")
    assert put(server, f"{FRIEND}/32") == ()
    assert server.ignored() == [FRIEND]


def test_without_a_folder_for_the_file_nothing_comes_into_force(server: Fail2ban) -> None:
    server.file.parent.rmdir()
    with pytest.raises(BackendError, match="does not exist; make it"):
        put(server, f"{FRIEND}/32")
    assert server.ignored() == []


def test_a_folder_that_cannot_be_written_changes_nothing(server: Fail2ban) -> None:
    put(server, f"{FRIEND}/32")
    server.inside.keep_mounts()
    folder = str(server.file.parent)
    server.inside.command("mount", "--bind", "-o", "ro", folder, folder)
    with pytest.raises(BackendError, match="was not changed: Read-only file system"):
        put(server, f"{MOVED}/32")
    assert server.ignored() == [FRIEND]
