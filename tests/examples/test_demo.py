"""The demo runs as told, for root and for everybody else, and fails when something is not so."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
NOBODY: Final = 65534
AT_THE_EDGE: Final = "ok: the list at the edge holds 198.51.100.20, 2001:db8:a::/64,"

# Somebody without any right but to look into folders: this Python may be installed in root's home.
AS_NOBODY: Final = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for temporary files that everybody can reach, unlike pytest's own."""
    path = Path(mkdtemp(prefix="demo-"))  # short: the demo shows paths
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


def command(python: str = sys.executable) -> tuple[str, ...]:
    return (python, str(ROOT / "examples" / "demo"))


def environment(folder: Path) -> dict[str, str]:
    own = {
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        # A Python started through a link of ours would not find what is installed.
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    return os.environ | own


def demo(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, env=environment(folder), capture_output=True, text=True, check=False
    )


def beside(folder: Path, script: str) -> str:
    """This Python, with a script beside it where `allowsync` would be.

    In the script, `allowsync` is the real one.
    """
    (folder / "bin").mkdir()
    imposter = folder / "bin" / "allowsync"
    real = Path(sys.executable).with_name("allowsync")
    imposter.write_text(f'#!/bin/sh\nallowsync() {{ "{real}" "$@"; }}\n{script}\n')
    imposter.chmod(0o755)
    python = folder / "bin" / "python"
    python.symlink_to(sys.executable)
    return str(python)


def is_plain(output: str) -> bool:
    """Whether it fits a terminal of 80 columns and, not being on one, has no colours."""
    return max(map(len, output.splitlines())) <= 80 and "\033" not in output


def steps(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"^(\d+)\. ", output, re.MULTILINE)]


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_as_root_the_gate_is_real_and_every_step_is_as_told(folder: Path) -> None:
    done = demo(folder, *command())
    assert (done.returncode, done.stderr) == (0, "")
    assert steps(done.stdout) == list(range(1, 16))
    assert is_plain(done.stdout)
    assert "ok: alice connects from 198.51.100.20 and 2001:db8:a::20" in done.stdout
    assert "ok: a stranger gets no answer at 203.0.113.66 and 2001:db8:bad::66" in done.stdout
    assert "ok: bob gets no answer at 192.0.2.44" in done.stdout
    assert AT_THE_EDGE in done.stdout
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_without_root_the_same_story_is_told_with_a_file(folder: Path) -> None:
    done = demo(folder, *(AS_NOBODY if os.geteuid() == 0 else ()), *command())
    assert (done.returncode, done.stderr) == (0, "")
    assert steps(done.stdout) == list(range(1, 16))
    assert is_plain(done.stdout)
    assert done.stdout.startswith("No firewall in this demo: network namespaces may not be made")
    assert "ok: the file admits alice at 198.51.100.20 and 2001:db8:a::20" in done.stdout
    assert "ok: the file does not admit bob at 192.0.2.44" in done.stdout
    assert AT_THE_EDGE in done.stdout
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "step", "difference"),
    [
        ("exit 0", 2, "it does not say '+ 192.0.2.44 bob'"),
        ("echo no such thing >&2; exit 2", 2, "exit code 2 instead of 0\nno such thing"),
        ("allowsync apply --dry-run || exit", 3, "it does not say '0 removed, 4 added'"),
        ('allowsync "$@" -v', 4, "it should have nothing to say"),
    ],
)
def test_a_program_that_says_something_else_fails_the_demo(
    folder: Path, script: str, step: int, difference: str
) -> None:
    done = demo(folder, *command(beside(folder, script)))
    assert done.returncode == 1
    assert f"FAILED at step {step}: " in done.stderr
    assert difference in done.stderr
    assert steps(done.stdout) == list(range(1, step + 1))


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("meddling", "difference"),
    [
        ("delete table inet allowsync_jellyfin", "whoever comes from 203.0.113.66 is let in"),
        ("flush set inet allowsync_jellyfin ipv4", "whoever comes from 198.51.100.20 is not"),
        ("flush set inet allowsync_jellyfin ipv6", "whoever comes from 2001:db8:a::20 is not"),
    ],
)
def test_a_program_that_only_says_so_fails_the_demo(
    folder: Path, meddling: str, difference: str
) -> None:
    script = f'allowsync "$@"; code=$?; nft {meddling} 2>/dev/null; exit $code'
    done = demo(folder, *command(beside(folder, script)))
    assert done.returncode == 1
    assert "FAILED at step 3: " in done.stderr
    assert difference in done.stderr


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_no_command_is_run_where_the_machines_own_firewall_is(folder: Path) -> None:
    demo(folder, *command(beside(folder, 'readlink /proc/self/ns/net >"$TMPDIR/seen"; exit 1')))
    own = str(Path("/proc/self/ns/net").readlink())
    assert (folder / "seen").read_text().strip() not in ("", own)


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("tool", ["nft", "ip"])
def test_root_without_a_tool_is_told_so_and_gets_the_file(folder: Path, tool: str) -> None:
    hidden = f'mount --bind /dev/null "$(readlink -f "$(command -v {tool})")" && exec "$@"'
    python = beside(folder, "exit 1")
    done = demo(folder, "unshare", "--mount", "sh", "-c", hidden, "sh", *command(python))
    first = f"No firewall in this demo: {tool} is not installed or may not be run."
    assert done.stdout.startswith(first)
    assert "- file: {path: " in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_behind_when_it_is_interrupted(
    folder: Path, number: signal.Signals
) -> None:
    # Where tests are started in the background, their children ignore SIGINT.
    argv = ("env", f"--default-signal={number.name.removeprefix('SIG')}", *command())
    with subprocess.Popen(
        argv, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith("3. "):
                break
        assert len(list(folder.iterdir())) == 1
        process.send_signal(number)
        process.stdout.read()
        assert process.stderr.read() == "interrupted\n"
        assert process.wait() == 130
    assert list(folder.iterdir()) == []
