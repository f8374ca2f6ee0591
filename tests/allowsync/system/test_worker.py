"""A process that works, and one that waits for it: however the first ends, the second ends well."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.io]

BEGIN = """
import os, signal, sys, time
from allowsync import system
from allowsync.system import worker

system.is_program = True
worker._OVERDUE = 1
if how := worker.ended_by("other", ours=False):
    sys.exit(f"other: {how}; {worker.VARIABLE in os.environ}")
first = os.getpid()
worker.split(["other"])
assert os.getpid() != first
"""


def started(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    err = process.communicate(timeout=60)[1]
    return process.returncode, err.strip()


@pytest.mark.parametrize(
    "script", ["worker.done(7)", "worker.done(7); os._exit(0)", "worker.done(7); os.abort()"]
)
def test_what_is_done_keeps_its_exit_code(script: str) -> None:
    assert ended(started(script)) == (7, "")


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("os._exit(0)", "once loaded, it ended the process with exit code 0 (here:1)"),
        ("os.kill(os.getpid(), 9)", "once loaded, it ended the process with signal 9 (here:1)"),
        ("os.execv('/bin/true', ['true'])", "once loaded, it ended the process with exit code 0"),
        ("time.sleep(60)", "once loaded, it did not return, and could not be interrupted"),
        ("os.close(1); worker.returned(found)", "once loaded, it closed files of allowsync"),
        ("worker.returned(found); os._exit(0)", "it, or another one, ended the process with"),
        ("worker.give_up('broke')", "it, or another one, broke"),
        ("worker.give_up(worker.INTERRUPTED)", "it, or another one, interrupted the command"),
        ("worker.calls('ours', '', 9); os._exit(0)", "it, or another one, ended the process with"),
    ],
)
def test_a_command_is_begun_anew_and_told_what_ended_it(script: str, how: str) -> None:
    limit = 0 if "sleep" in script else 60
    code, said = ended(started(f"found = worker.calls('other', 'here:1', {limit})\n{script}"))
    assert code == 1
    assert said.startswith(f"other: {how}")
    assert said.endswith("; False")  # hidden from what this one starts


def test_a_question_that_was_answered_with_no_is_not_asked_anew() -> None:
    """Its exit code is that of an interrupt."""
    assert ended(started("worker.done(130); os._exit(0)")) == (130, "")


def test_what_is_begun_anew_without_all_others_is_no_worker() -> None:
    """What fails in it is ours, and is said as such."""
    script = "worker.VARIABLE in os.environ; print(worker.at_work())"
    begin = BEGIN.replace("assert os.getpid() != first", "").replace("sys.exit(f", "str(f")
    done = subprocess.run(
        [sys.executable, "-c", begin + script],
        env={"ALLOWSYNC_ENDED_BY": "*\tit, or another one, broke"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_one_that_waits_ends_both(number: signal.Signals) -> None:
    script = "signal.signal(2, signal.SIG_DFL); print(os.getpid(), flush=True); time.sleep(60)"
    process = started(script)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.send_signal(number)
    assert ended(process) == (-number, "")
    until = time.monotonic() + 60
    while _is_there(worker) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _is_there(worker)


def _is_there(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", str(pid)], capture_output=True, check=False)
    return done.stdout.strip() not in (b"", b"Z")
