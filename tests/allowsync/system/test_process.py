"""Starting programs: what they are given, how they end, and that none outlives its time."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from allowsync.system.process import (
    PATH,
    Command,
    CommandBroken,
    CommandMissing,
    CommandTimedOut,
    Completed,
    installed,
    run,
)


def python(code: str, stdin: str = "", timeout: float = 30.0) -> Command:
    return Command((sys.executable, "-I", "-c", code), stdin, timeout)


def test_output_and_exit_code_are_returned() -> None:
    command = python("import sys; print(sys.stdin.read()); sys.exit(7)", "hello")
    assert run(command) == Completed(command, 7, "hello\n", "")


def test_messages_come_apart_from_results() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_a_program_killed_by_a_signal_has_a_negative_code() -> None:
    assert run(python("import os; os.kill(os.getpid(), 9)")).code == -9


def test_the_environment_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("SECRET", "hunter2")
    listed = run(Command(("env",))).stdout.split("\n")
    assert set(filter(None, listed)) == {f"PATH={PATH}", "LC_ALL=C"}


def test_programs_are_looked_for_on_the_fixed_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "allowsync-test-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandMissing):
        run(Command((program.name,)))
    assert not installed(program.name)
    assert installed(str(program))
    assert run(Command((str(program),))).code == 0


def test_nothing_is_expanded_or_interpreted() -> None:
    argument = "$HOME; touch /tmp/x `id` *"
    assert run(Command(("printf", "%s", argument))).stdout == argument


def test_a_program_stands_in_the_root_folder_and_in_a_session_of_its_own() -> None:
    done = run(python("import os; print(os.getcwd(), os.getsid(0) == os.getpid())"))
    assert done.stdout == "/ True\n"


def test_a_missing_program_is_said_to_be_missing() -> None:
    with pytest.raises(CommandMissing, match="no-such-program is not installed") as raised:
        run(Command(("no-such-program",)))
    assert raised.value.command == Command(("no-such-program",))
    assert not installed("no-such-program")


def test_a_file_that_may_not_be_run_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("#!/bin/sh\n")
    assert not installed(str(tmp_path / "file"))
    with pytest.raises(CommandMissing, match="may not be run"):
        run(Command((str(tmp_path / "file"),)))


def test_no_room_for_a_process_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path("/dev/null").open() as null:
        resource.setrlimit(resource.RLIMIT_NOFILE, (null.fileno() + 1, hard))
        try:
            with pytest.raises(CommandMissing, match="could not be started: Too many open files"):
                run(Command(("true",)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_and_its_children_are_killed_at_the_time_limit(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, time\n"
        "child = os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(CommandTimedOut, match="did not finish within 5 s"):
        run(python(code, timeout=5))
    for pid in pids.read_text().split():
        assert is_gone(int(pid))


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody waits for has."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    assert run(python("pass", stdin="x" * 1_000_000)).code == 0


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert run(Command(("printf", r"\377"))).stdout == "�"


SLEEPER = """
import os, sys, time
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
time.sleep(600)
"""

INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from allowsync.system.process import Command, run

pid = Path(sys.argv[1])

def interrupt():
    while not pid.exists() or not pid.read_text():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    run(Command((sys.executable, "-c", sys.argv[2], str(pid))))
except KeyboardInterrupt:
    sys.exit(3)
"""


def test_an_interrupted_wait_leaves_no_program_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    done = run(Command((sys.executable, "-c", INTERRUPTED, str(pid), SLEEPER)))
    assert done.code == 3
    assert is_gone(int(pid.read_text()))


SPEAKER = """
import os, sys, time
from pathlib import Path
Path(sys.argv[1]).write_text(str(os.getpid()))
while not Path(sys.argv[2]).exists():
    time.sleep(0.01)
print("hello", flush=True)
time.sleep(600)
"""


def break_the_pipes(pid: Path, broken: Path) -> None:
    """Once a program runs, let a folder be where its output is read from: read(2) says EISDIR."""
    while not pid.exists() or not pid.read_text():
        time.sleep(0.01)
    theirs = {Path(f"/proc/{pid.read_text()}/fd/{number}").readlink() for number in (1, 2)}
    ours = [one for one in Path("/proc/self/fd").iterdir() if one.is_fifo()]
    folder = os.open("/", os.O_RDONLY)
    for one in ours:
        if one.readlink() in theirs:
            os.dup2(folder, int(one.name))
    os.close(folder)
    broken.touch()


def test_a_program_whose_pipes_fail_is_killed_and_what_it_did_is_not_guessed(
    tmp_path: Path,
) -> None:
    pid, broken = tmp_path / "pid", tmp_path / "broken"
    breaker = threading.Thread(target=break_the_pipes, args=(pid, broken))
    breaker.start()
    command = Command((sys.executable, "-I", "-c", SPEAKER, str(pid), str(broken)))
    with pytest.raises(CommandBroken, match="could not be listened to: Is a directory") as raised:
        run(command)
    breaker.join()
    assert raised.value.command == command
    assert is_gone(int(pid.read_text()))


def test_programs_inherit_nothing_but_their_pipes() -> None:
    with Path("/dev/null").open() as null:
        os.set_inheritable(null.fileno(), True)
        listed = run(Command(("ls", "/proc/self/fd"))).stdout.split()
    assert set(listed) <= {"0", "1", "2", "3"}


def test_what_goes_in_and_out_at_once_does_not_wait_for_each_other() -> None:
    much = "x" * 1_000_000
    assert run(Command(("cat",), much)).stdout == much


def test_our_own_folder_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(Command(("true",)))
    assert Path.cwd() == tmp_path
    with pytest.raises(CommandMissing):
        run(Command(("no-such-program",)))
    assert Path.cwd() == tmp_path


def test_a_program_ignores_no_signals_that_python_does() -> None:
    listed = run(Command(("grep", "^SigIgn", "/proc/self/status"))).stdout
    ignored = int(listed.split()[1], 16)
    assert not any(ignored >> one - 1 & 1 for one in (signal.SIGPIPE, signal.SIGXFSZ))


UNUSUAL = """
import os, signal, sys
from allowsync.system.process import Command, run
{}
print(run(Command(("true",))).code)
"""


@pytest.mark.parametrize(
    "before",
    [
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        pytest.param(
            "os.chdir(sys.argv[1]); os.setresuid(65534, 65534, 65534)", marks=pytest.mark.root
        ),
    ],
    ids=["its end is not told", "our folder may not be searched"],
)
def test_programs_are_started_in_unusual_surroundings_too(tmp_path: Path, before: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    code = UNUSUAL.format(before)
    done = run(Command((sys.executable, "-I", "-c", code, str(closed))))
    assert (done.stdout, done.stderr) == ("0\n", "")
