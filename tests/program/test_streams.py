"""Streams that are full, closed or read by no process, files that are none, no folder to be in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.backend.registry import BACKENDS
from tests.support.broken_backends import source
from tests.support.distributions import install
from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM: Final = str(EXECUTABLE)
GONE: Final = "mkdir -p gone && cd gone && rmdir ../gone &&"
# What is typed: the exit code, and what is said (in part; empty: nothing at all).
CASES: Final = {
    "a full disk": ("$A status $C >/dev/full", 1, "could not be written: No space left on device"),
    "a document on a full disk": ("$A apply --output json $C >/dev/full", 1, "could not be"),
    "help on a full disk": ("$A --help >/dev/full", 1, "could not be written"),
    "no standard output": ("$A status $C >&-", 1, "could not be written: Bad file descriptor"),
    "a document, no standard output": ("$A status --jsn --json $C >&-", 2, "--jsn"),
    "nothing to say, no standard output": ("$A apply $C >&-", 0, ""),
    "no stream at all": ("$A apply $C <&- >&- 2>&-", 0, ""),
    "a question, no standard input": ("$A clear $C <&-", 2, "without a terminal for the question"),
    "an error, no standard error": ("$A apply --config none 2>&-", 2, ""),
    "an error on a full disk": ("$A apply --config none 2>/dev/full", 2, ""),
    "a usage error on a full disk": ("$A apply --nonsense 2>/dev/full", 2, ""),
    "a reader that has left": ("$A status $C | true; exit ${PIPESTATUS[0]}", 1, ""),
    "no working directory": (f"{GONE} $A apply --config c.yaml", 2, "directory was deleted"),
    "a state beside it": (f"{GONE} $A apply $C --state s.db", 2, "directory was deleted"),
    "by the environment": (f"{GONE} ALLOWSYNC_CONFIG=c $A status", 2, "directory was deleted"),
    "absolute paths do": (f"{GONE} $A apply $C", 0, ""),
    "a pipe": ("mkfifo pipe; $A apply --config pipe", 2, "this is a pipe, not a file"),
    "a device": ("$A check --config /dev/zero", 2, "this is a device, not a file"),
    "a folder": ("$A apply --config .", 2, "this is a folder, not a file"),
    "a name that is no text": ("$A apply --config $'/\\xff'", 2, "/\\udcff: file not found"),
    "a state whose name is no text": (
        "mv state.db $'s\\xff.db'; $A apply $C --state $'s\\xff.db'",
        0,
        "",
    ),
    "an ASCII terminal": ("LC_ALL=C PYTHONIOENCODING=ascii $A status $C >/dev/null", 0, ""),
    "few files": ("ulimit -n 8; $A apply $C", 1, "Too many open files"),
    "little memory": ("ulimit -v 15000; $A apply $C", None, ""),
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(
        "hosts: {alice: {networks: [203.0.113.7]}}\n"
        f"state: {tmp_path}/state.db\n"
        f"allowlists: {{web: {{targets: [file: {{path: {tmp_path}/x.txt}}]}}}}\n"
    )
    return tmp_path


def typed(here: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "A": PROGRAM,
            "C": f"--config {here}/config.yaml",
            **environment,
        },
        cwd=here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("script", "code", "said"), CASES.values(), ids=CASES)
def test_whatever_becomes_of_streams_is_one_line(
    here: Path, script: str, code: int | None, said: str
) -> None:
    typed(here, "$A apply --quiet $C")
    ended = typed(here, script)
    everything = ended.stdout + ended.stderr
    for never in ("Traceback", "internal error", "Exception ignored"):
        assert never not in everything
    assert ended.returncode == code or code is None
    assert said in everything
    if code == 0:
        assert ended.stderr == ""


def test_what_is_raised_as_an_object_is_deleted_is_no_traceback(here: Path) -> None:
    """As of a backend that is not ours, after its call has ended."""
    gone = "class Gone:\n    def __del__(self): raise SystemExit(9)\n"
    script = f"{gone}import allowsync.engine.run as m\nlock = m.Lock\n"
    script += "def locked(*given):\n    Gone()\n    return lock(*given)\nm.Lock = locked\n"
    (here / "main.py").write_text(f"{script}from allowsync.__main__ import main\nmain()\n")
    ended = typed(here, f"{sys.executable} main.py apply --quiet $C")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    shown = typed(here, f"ALLOWSYNC_TRACEBACK=1 {sys.executable} main.py apply --quiet $C")
    assert "SystemExit: 9" in shown.stderr


def test_a_defect_of_ours_has_its_details_with_vv(here: Path) -> None:
    script = "import allowsync.engine.run as m; m.Lock = None\n"
    (here / "main.py").write_text(f"{script}from allowsync.__main__ import main\nmain()\n")
    run = f"{sys.executable} main.py apply $C"
    brief = typed(here, run)
    assert (brief.returncode, len(brief.stderr.splitlines())) == (1, 1)
    assert brief.stderr.startswith("allowsync: internal error: TypeError")
    assert "Traceback" in typed(here, f"{run} -vv").stderr
    told = typed(here, f"{run} --output json")
    assert json.loads(told.stdout)["exit_code"] == 1


SLOW = """
def read(self):
    open(os.environ["MARK"], "w").close()
    try:
        time.sleep(1000)
    except BaseException:
        pass
    return Current()
"""
THREADS = """
def read(self):
    import atexit
    atexit.register(print, "noise at the end")
    threading.Thread(target=time.sleep, args=(1000,)).start()
    print("noise")
    subprocess.run("echo noise; echo noise >&2", shell=True)
    return Current()
"""

AT_EXIT = """
def read(self):
    import atexit
    atexit.register(time.sleep, 1000)
    return Current()
"""


def plugged(here: Path, name: str, methods: str) -> str:
    """Install a backend with these methods, beside the good target. Returns the search path."""
    site = here / "site"
    entry = f"[{BACKENDS}]\n{name} = {name}_backend:TYPE\n"
    install(site, name, entry, {f"{name}_backend": source(name, methods=methods)})
    config = here / "config.yaml"
    config.write_text(config.read_text().replace("[file:", f"[{name}, file:"))
    return str(site)


def test_a_thread_that_never_ends_does_not_hold_the_process(here: Path) -> None:
    site = plugged(here, "threads", THREADS)
    ended = typed(here, "$A apply $C --output json", PYTHONPATH=site)
    assert json.loads(ended.stdout)["exit_code"] == ended.returncode == 1  # not read back as meant
    assert (ended.stderr, (here / "x.txt").exists()) == ("", True)


def test_what_a_backend_prints_at_exit_follows_no_document(here: Path) -> None:
    site = plugged(here, "late", THREADS)
    source = here / "site/late_backend.py"
    kept = [one for one in source.read_text().splitlines() if "Thread(" not in one]
    source.write_text("\n".join(kept))
    ended = typed(here, "$A apply $C --output json", PYTHONPATH=site)
    assert json.loads(ended.stdout)["exit_code"] == ended.returncode


def test_what_a_backend_does_at_exit_has_a_time_limit(here: Path) -> None:
    site = plugged(here, "idle", AT_EXIT)
    began = time.monotonic()
    ended = typed(here, "$A apply $C --output json", PYTHONPATH=site)
    assert json.loads(ended.stdout)["exit_code"] == ended.returncode == 1
    assert time.monotonic() - began < 200


def test_a_real_interrupt_ends_the_run_whatever_a_backend_catches(here: Path) -> None:
    site, mark = plugged(here, "slow", SLOW), here / "mark"
    process = subprocess.Popen(
        [PROGRAM, "apply", "--config", str(here / "config.yaml")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": site, "MARK": str(mark)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=120)[1] == "allowsync: interrupted\n"
    assert (process.returncode, (here / "x.txt").exists()) == (130, False)
