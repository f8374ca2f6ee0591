"""A server as a process with a pid file: real processes, whoever they are by now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server import reader
from allowsync_backends.common.server.processes import command_line, descendants, group, name_of
from allowsync_backends.common.server.reader import ServerProgram, ServerReader
from allowsync_backends.common.server.supervisor import Process, ReloadMethod, State

from allowsync.backend.api import BackendError
from tests.support.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "heron"
# Starts workers, and on SIGHUP others; what becomes of the former ones, or of it, is `then`.
SERVER = """\
    #!{python}
    import os, signal, subprocess, time
    workers = []

    def begin():
        workers.append(os.fork())
        while not workers[-1]:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pause()

    def end(those):
        for one in those:
            os.kill(one, signal.SIGKILL)
            os.waitpid(one, 0)

    def renew(*_):
        former = workers.copy()
        workers.clear()
        {then}

    signal.signal(signal.SIGHUP, renew)
    begin()
    begin()
    with open({pid!r}, "w") as file:
        file.write(str(os.getpid()))
    while True:
        signal.pause()
    """
GONE = "end(former); begin(); begin()"
LATE = "begin(); begin(); time.sleep(0.3); end(former)"
NEVER = "begin(); begin()"
DEAF = "pass"
BUSY = "subprocess.Popen(['sleep', '1000'])"
DEAD = "end(former); os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a server that does as it is told."""
    started: list[subprocess.Popen[bytes]] = []

    def run(then: str) -> subprocess.Popen[bytes]:
        program = tmp_path / NAME
        text = textwrap.dedent(SERVER).format(
            python=sys.executable, then=then, pid=str(tmp_path / "pid")
        )
        program.write_text(text)
        program.chmod(0o755)
        started.append(subprocess.Popen([program], start_new_session=True))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        return started[-1]

    yield run
    for one in started:
        os.killpg(one.pid, signal.SIGKILL)
        one.wait()


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path / "pid", (NAME,))


def notice(process: Process, leaving: str = "") -> str:
    """Tell it, and wait until it has followed."""
    server = ServerProgram(
        NAME,
        (),
        ReloadMethod(signal=signal.SIGHUP),
        renews=True,
        inspect=lambda _: (),
        leaving=leaving,
    )
    return ServerReader(server, process).take_notice()


def alive(pids: frozenset[int]) -> set[int]:
    return {pid for pid in pids if name_of(pid)}


def test_a_process_is_found_by_its_id_with_all_that_descend_from_it(
    start: Callable[[str], subprocess.Popen[bytes]], process: Process
) -> None:
    child = start(GONE)
    assert process.state() is State.RUNNING
    assert len(process.processes()) == 3
    assert process.processes() == {child.pid, *descendants(child.pid)}
    assert os.getpid() not in process.processes()
    assert child.pid in descendants(os.getpid())
    assert descendants(child.pid) < descendants(os.getpid())


def test_new_processes_show_that_it_has_followed(
    start: Callable[[str], subprocess.Popen[bytes]], process: Process
) -> None:
    child = start(GONE)
    before = process.processes()
    assert notice(process) == ""
    assert process.processes() & before == {child.pid}


def test_former_processes_are_waited_for(
    start: Callable[[str], subprocess.Popen[bytes]], process: Process
) -> None:
    child = start(LATE)
    before = process.processes()
    assert notice(process) == ""
    assert alive(before) == {child.pid}


@pytest.mark.parametrize(("leaving", "patience"), [("", 0.1), (NAME, 60.0)])
def test_former_processes_that_have_something_to_finish_may_stay(
    start: Callable[[str], subprocess.Popen[bytes]],
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
    leaving: str,
    patience: float,
) -> None:
    """Not for longer than a moment; not at all where they say that they take nothing new."""
    monkeypatch.setattr(reader, "LINGER", patience)
    start(NEVER)
    before = process.processes()
    assert notice(process, leaving) == ""
    assert alive(before) == before


@pytest.mark.parametrize("then", [DEAF, BUSY])
def test_one_that_does_not_follow_is_told_of(
    start: Callable[[str], subprocess.Popen[bytes]],
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
    then: str,
) -> None:
    """Whatever else it starts: a web server may run scripts at any time."""
    monkeypatch.setattr(reader, "PATIENCE", 0.5)
    start(then)
    assert notice(process) == (
        f"{NAME} was asked to reload, but has started no new process within 0.5 s"
    )


def test_one_that_dies_of_it_is_told_of(
    start: Callable[[str], subprocess.Popen[bytes]], process: Process
) -> None:
    start(DEAD)
    assert notice(process) == f"{NAME} exited during the reload"
    assert process.state() is State.STOPPED


def test_one_that_was_killed_is_not_told(
    start: Callable[[str], subprocess.Popen[bytes]], process: Process
) -> None:
    child = start(DEAF)
    os.killpg(child.pid, signal.SIGKILL)
    while name_of(child.pid):
        time.sleep(0.01)
    # Nobody has waited for it yet: it is there, but dead.
    assert process.pid_file.read_text().strip() == str(child.pid)
    assert process.state() is State.STOPPED
    assert process.processes() == frozenset()
    assert notice(process) == ""


def test_an_id_that_came_to_somebody_else_is_not_told_anything(process: Process) -> None:
    with subprocess.Popen(["sleep", "1000"]) as other:
        process.pid_file.write_text(f"{other.pid}\n")
        assert process.state() is State.STOPPED
        assert process.tell(ReloadMethod(signal=signal.SIGHUP)) == ""
        assert notice(process) == ""
        # SIGHUP would have ended it.
        assert name_of(other.pid) == "sleep"
        other.kill()


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_a_pid_file_without_an_id_is_nobodys(process: Process, text: str) -> None:
    """A check of nginx leaves one, where none was."""
    assert process.state() is State.STOPPED
    process.pid_file.write_text(text)
    assert process.state() is State.STOPPED
    assert notice(process) == ""


@pytest.mark.parametrize(
    "text",
    ["-1\n", "1 2\n", "0x10\n", "\u0661\n", "0\n", "nginx\n", "9" * 20, "\0"],
)
def test_a_pid_file_that_holds_something_else_is_an_error(process: Process, text: str) -> None:
    process.pid_file.write_text(text)
    with pytest.raises(BackendError, match="holds no process id"):
        process.state()
    assert "holds no process id" in notice(process)
    assert [one.what for one in process.findings(process.pid_file)] == [
        f"{process.pid_file} holds no process id"
    ]


def test_an_id_that_no_process_has_is_nobodys(process: Process) -> None:
    process.pid_file.write_text("4194303")  # the largest there can be; ids are given from below
    assert process.state() is State.STOPPED


def test_a_folder_in_place_of_a_pid_file_is_an_error(process: Process) -> None:
    process.pid_file.mkdir()
    with pytest.raises(BackendError, match="cannot be read: Is a directory"):
        process.state()


def test_a_name_may_hold_anything(tmp_path: Path) -> None:
    """It stands in brackets among other fields."""
    program = tmp_path / "a) S 1 (b"
    program.write_text("#!/bin/sh\necho ready\nread line\n")
    program.chmod(0o755)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([program], **pipes) as child:  # type: ignore[call-overload]
        child.stdout.readline()
        assert name_of(child.pid) == program.name
        assert command_line(child.pid) == f"/bin/sh {program}"
        assert child.pid in descendants(os.getpid())
        child.communicate(b"\n")
    assert (name_of(child.pid), command_line(child.pid)) == ("", "")


@pytest.mark.parametrize("name", ["", "/", "relative", "/no/such/group", "/../../etc"])
def test_a_control_group_that_cannot_be_told_has_no_processes(name: str) -> None:
    assert group(name) == frozenset()


SEEN_FROM_WITHIN = """\
from pathlib import Path
from allowsync.backend.api import BackendError
from allowsync_backends.common.server.processes import is_hidden
from allowsync_backends.common.server.supervisor import Process
process = Process(Path({pid!r}), ("heron",))
assert is_hidden(int(process.pid_file.read_text()))
assert not is_hidden(4194303)
try:
    process.state()
except BackendError as error:
    print(error)
"""


# Somebody else, who can only look into folders; and root with no right but that of a user, who may
# signal the process. To the group of root everything is shown.
LOOKS = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
WALLED = {
    "nobody": ("--reuid=65534", "--regid=65534", "--clear-groups", *LOOKS),
    "root": ("--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"),
}


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("who", WALLED)
def test_a_process_that_is_hidden_from_us_is_not_taken_for_gone(
    start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path, who: str
) -> None:
    """As in a service with ProtectProc=invisible (systemd.exec(5))."""
    child = start(DEAF)
    code = SEEN_FROM_WITHIN.format(pid=str(tmp_path / "pid"))
    hide = 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"'
    python = ("setpriv", *WALLED[who], sys.executable, "-c", code)
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-c", hide, "sh", *python),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    seen = f"nothing can be seen of process {child.pid}, whose id {tmp_path / 'pid'} holds\n"
    assert (done.stdout, done.stderr) == (seen, "")
