"""Backends that end the process they run in: all others are enforced, whatever ended it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.backend.registry import BACKENDS
from tests.support.broken_backends import source
from tests.support.distributions import install
from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from pathlib import Path

ENDED: Final = "once loaded, it ended the process with exit code 0"
# What it does where, and what is said of it.
ENDING: Final = {
    "module": ("module", "import posix; posix._exit(0)", ENDED),
    "read": ("read", "import posix; posix._exit(0)", ENDED),
    "apply": ("apply", "import posix; posix.execv('/bin/true', ['true'])", ENDED),
    "crash": ("read", "import ctypes; ctypes.string_at(0)", "with signal 11"),
    "files": (
        "read",
        "\n    for one in range(51):\n        try: os.close(one)\n        except OSError: pass",
        "closed files of allowsync",
    ),
    "group": ("read", "subprocess.run('kill -9 0', shell=True)", "with signal 9"),
    "asked": ("apply", "subprocess.run('kill 0', shell=True)", "with signal 15"),
    "limits": (
        "read",
        "subprocess.run(['prlimit', '--pid', str(os.getpid()), '--nofile=5', '--fsize=0'])",
        "or limits",
    ),
}
# What is left for the rest of the command, in which it then fails: each names no backend.
LEFT: Final = {
    "interrupt": ("subprocess.run('kill -INT 0', shell=True)", "interrupted the command"),
    "imports": ("sys.meta_path.insert(0, None); return Current()", "is why"),
    "numbers": (
        "import allowsync.engine.history as it; it._WRONG = None; return Current()",
        "could not go on: AttributeError",
    ),
}
# What is replaced for all of the process as a module is loaded, and in a call.
REPLACED: Final = {
    "written": "import json; json.dumps = lambda *_, **__: 'null'; del json.loads",
    "told": "import click; click.echo = print = lambda *_, **__: None",
    "kept": "import sqlite3; sqlite3.connect = None",
    "compared": "import ipaddress; ipaddress.IPv4Network.__eq__ = lambda *_: False",
    "shown": "import ipaddress; ipaddress._BaseNetwork.__str__ = lambda _: '0.0.0.0/0'",
    "found": "import pathlib; pathlib.Path.exists = pathlib.Path.open = lambda *_, **__: False",
    "started": "subprocess.Popen.__init__ = subprocess.run = None; sys.modules['subprocess'] = sys",
    "planned": "import allowsync.plan.planner as it; it.planned = lambda *_, **__: 1 / 0",
}
PRINTING: Final = """
def chatter():
    while True:
        print("chatter")
threading.Thread(target=chatter, daemon=True).start()
"""
THREAD: Final = """
    def later():
        import posix
        time.sleep(0.02)
        posix._exit(0)
    threading.Thread(target=later).start()
"""


def plug(here: Path, name: str, where: str, body: str) -> None:
    part = {"module": body} if where == "module" else {}
    parts = part or {"methods": f"def {where}(self, *_):\n    {body}\n"}
    entry = f"[{BACKENDS}]\n{name} = {name}_module:TYPE\n"
    install(here / "site", name, entry, {f"{name}_module": source(name, **parts)})


def write(here: Path, *names: str) -> None:
    targets = "".join(f"      - {one}\n" for one in names)
    (here / "config.yaml").write_text(
        "hosts: {alice: {networks: [203.0.113.7]}}\n"
        f"state: {here}/state.db\n"
        f"allowlists:\n  web:\n    targets:\n{targets}      - file: {{path: {here}/good.txt}}\n"
    )


def started(here: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [EXECUTABLE, *arguments, "--config", str(here / "config.yaml")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(here / "site")},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fail_alone(here: Path, arguments: list[str], whats: dict[str, str]) -> None:
    (here / "good.txt").unlink(missing_ok=True)
    ran = started(here, *arguments)
    lines = ran.communicate(timeout=120)[1].splitlines()
    said = [one for one in lines if one.startswith("web/")]
    assert (ran.returncode, "203.0.113.7" in (here / "good.txt").read_text()) == (1, True)
    assert [one.partition(": ")[0] for one in said] == [f"web/{name}" for name in whats]
    for line, what in zip(said, whats.values(), strict=True):
        assert what in line


@pytest.mark.parametrize("arguments", [["apply"], ["apply", "--offline"]], ids=" ".join)
def test_a_backend_that_ends_the_process_fails_alone(here: Path, arguments: list[str]) -> None:
    fail_alone(here, arguments, {name: said for name, (_, _, said) in ENDING.items()})


def test_a_thread_that_ends_the_process_costs_no_target_of_ours(here: Path) -> None:
    plug(here, "thread", "read", f"{THREAD}    time.sleep(0.01)\n    return Current()")
    write(here, "thread")
    # It ends it in that call, in another, or in none.
    fail_alone(here, ["apply"], {"thread": "ended the process with exit code 0"})


@pytest.mark.parametrize("name", LEFT)
def test_a_command_that_cannot_go_on_is_begun_anew_without_backends_of_others(
    here: Path, name: str
) -> None:
    body, said = LEFT[name]
    plug(here, name, "read", body)
    write(here, name)
    fail_alone(here, ["apply"], {name: said})


@pytest.mark.parametrize("where", ["module", "read"])
def test_what_a_backend_replaces_in_modules_changes_nothing_for_others(
    here: Path, where: str
) -> None:
    for name, body in REPLACED.items():
        plug(here, name, where, body if where == "module" else f"{body}; return Current()")
    write(here, *REPLACED)
    for outcome in ("applied", "unchanged"):
        ran = started(here, "apply", "--json")
        document = json.loads(ran.communicate(timeout=120)[0])
        good = document["targets"][-1]
        assert (good["target"], good["outcome"], document["problems"]) == ("web/file", outcome, [])
    assert "203.0.113.7" in (here / "good.txt").read_text()
    assert not list(here.glob("state.db.aside*"))


def test_a_thread_that_prints_on_spoils_no_document(here: Path) -> None:
    plug(here, "chatty", "module", PRINTING)
    write(here, "chatty")
    ran = started(here, "apply", "--json")
    assert json.loads(ran.communicate(timeout=120)[0])["exit_code"] == 0


def test_a_child_that_a_backend_leaves_behind_holds_neither_the_output_nor_the_lock(
    here: Path,
) -> None:
    leave = "\n    if (pid := os.fork()) == 0:\n        time.sleep(60)\n"
    note = "    with open(__file__ + '.pid', 'w') as file: file.write(str(pid))\n"
    plug(here, "leaving", "read", f"{leave}{note}    return Current(Broken.held)")
    write(here, "leaving")
    ran = started(here, "apply")
    try:
        assert ran.communicate(timeout=120)[1] == ""
        again = started(here, "apply", "--only", "web/file")
        said = again.communicate(timeout=120)
        assert (ran.returncode, said, again.returncode) == (0, ("", ""), 0)
    finally:
        os.kill(int((here / "site/leaving_module.py.pid").read_text()), signal.SIGKILL)


def test_a_signal_ends_a_command_whose_backend_is_at_work(here: Path) -> None:
    plug(here, "slow", "read", "open(__file__ + '.mark', 'w').close(); time.sleep(1000)")
    write(here, "slow")
    mark, ran = here / "site/slow_module.py.mark", started(here, "apply")
    until = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.01)
    ran.send_signal(signal.SIGTERM)
    assert ran.communicate(timeout=120) == ("", "")
    assert ran.returncode == -signal.SIGTERM
    again = started(here, "apply", "--only", "web/file")  # nothing holds the lock
    assert (again.wait(timeout=120), (here / "good.txt").exists()) == (0, True)
    again.communicate()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name, (where, body, _) in ENDING.items():
        plug(tmp_path, name, where, body)
    write(tmp_path, *ENDING)
    return tmp_path
