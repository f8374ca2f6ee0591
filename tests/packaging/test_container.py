"""The image: what is put into it exists, and what it starts works until it is told to stop."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.documents import ROOT
from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "packaging/container/Containerfile"
FOLDER = ROOT / "packaging" / "container"
STEPS = (ROOT / FILE).read_text().replace("\\\n", " ").splitlines()
IGNORED = (ROOT / ".containerignore").read_text().splitlines()
LONGEST = 60.0  # seconds that a run may take on a busy machine


def copied() -> list[str]:
    """What is copied from the checkout."""
    lines = [line.split()[1:] for line in STEPS if line.startswith("COPY")]
    return [
        source
        for words in lines
        if not any(word.startswith("--from") for word in words)
        for source in [word for word in words if not word.startswith("--")][:-1]
    ]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    admitted = {line[1:] for line in IGNORED if line.startswith("!")}
    assert "*" in IGNORED
    assert len(copied()) >= 5
    for source in copied():
        assert (ROOT / source).exists()
        assert any(source == one or source.startswith(f"{one}/") for one in admitted), source


def test_the_image_has_the_tools_of_its_backends() -> None:
    (line,) = (one for one in STEPS if "apt-get install" in one)
    assert {"nftables", "ipset", "iptables", "conntrack", "ca-certificates"} <= set(line.split())


def test_the_image_has_what_the_installation_page_calls_included() -> None:
    (names,) = re.findall(r"/src\[([a-z,]+)\]", "".join(STEPS))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    packages = {re.split("[<>=]", one)[0] for name in names.split(",") for one in extras[name]}
    page = (ROOT / "docs" / "install.md").read_text()
    assert packages == set(re.findall(r"\| `pip install (\w+)` \| included \|", page))


def test_make_builds_it_from_where_everything_is() -> None:
    command = ("make", "-n", "--no-print-directory", "image", "IMAGE_TOOL=tool build")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shlex.split(told) == ["tool", "build", "-f", FILE, "-t", "allowsync", "."]
    assert (ROOT / FILE).is_file()


def test_every_step_is_one_there_is_and_every_script_can_be_read() -> None:
    steps = [line.split(maxsplit=1) for line in STEPS if line and not line.startswith("#")]
    assert {word for word, _ in steps} <= {"ARG", "FROM", "RUN", "COPY", "VOLUME", "CMD"}
    scripts = [rest for word, rest in steps if word == "RUN"]
    assert len(scripts) >= 3
    for text in (*scripts, (FOLDER / "every").read_text()):
        read = subprocess.run(("sh", "-n"), input=text, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


def test_it_starts_what_it_brings_along() -> None:
    (line,) = (one for one in STEPS if one.startswith("CMD"))
    program, seconds = re.findall(r'"([^"]+)"', line)
    assert seconds == "300"
    assert any(f"packaging/container/every /usr/local/bin/{program}" in one for one in STEPS)


def test_it_runs_again_and_again_until_it_is_told_to_stop(tmp_path: Path) -> None:
    allowed, config = tmp_path / "allowed", tmp_path / "config.yaml"
    target = f"{{file: {{path: {allowed}}}}}"
    config.write_text(
        "hosts: {office: {networks: [203.0.113.0/24]}}\n"
        f"allowlists: {{web: {{targets: [{target}]}}}}\nstate: {tmp_path}/state/state.db\n"
    )
    config.chmod(0o600)
    environ = {"PATH": f"{EXECUTABLE.parent}:/usr/bin:/bin", "ALLOWSYNC_CONFIG": str(config)}
    with started(["sh", str(FOLDER / "every"), "0.1"], environ) as process:
        # Once at the beginning, by the first run, and by the one after that.
        for _ in range(2):
            wait_for(allowed)
            allowed.unlink()
        wait_for(allowed)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST) == 0
    assert "203.0.113.0/24" in allowed.read_text()


def test_a_configuration_that_is_wrong_ends_no_container(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environ = {"PATH": f"{EXECUTABLE.parent}:/usr/bin:/bin", "ALLOWSYNC_CONFIG": "/nonexistent"}
    command = f"exec sh {shlex.quote(str(FOLDER / 'every'))} 0.1 2>{shlex.quote(str(log))}"
    with started(["sh", "-c", command], environ) as process:
        wait_for(log, times=3)
        assert process.poll() is None


@contextmanager
def started(argv: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the test."""
    with subprocess.Popen(argv, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(path: Path, times: int = 1) -> None:
    """Wait until a file is there, and has at least so many lines."""
    ends = time.monotonic() + LONGEST
    while not (path.exists() and path.read_text().count("\n") >= times):
        assert time.monotonic() < ends, f"{path.name} did not come"
        time.sleep(0.05)
