"""The resolver's process in whole runs: what it opens, and what its loss costs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.system.sandbox import NUMBER
from testkit.fake_dns.behaviours import Records, Silent
from testkit.fake_dns.https import HttpsFront
from testkit.fake_dns.tls import Authority, TlsFront
from tests.support.program import EXECUTABLE

if TYPE_CHECKING:
    from tests.support.program import Installation

OPENED = re.compile(r"^(\d+) +(?:openat2?|open|execve|readlink|mkdir|rename\w*|unlink\w*)\((.*)")
# Another process may be told of before its result: strace splits such a line.
CHANGED = re.compile(
    rf"^(\d+) +setresuid\({NUMBER}, {NUMBER}, {NUMBER}(?:\) += 0| <unfinished \.\.\.>)"
)


@pytest.mark.usefixtures("as_root")
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("way", ["dns", "tls", "https"])
def test_it_opens_nothing_once_it_is_another_user(
    here: Installation, tmp_path: Path, way: str
) -> None:
    """Not even where the program is below a folder that only root may enter."""
    place = tmp_path / "certificates"
    place.mkdir()
    authority = Authority(place)
    fronts = {"tls": TlsFront, "https": HttpsFront}
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=file,setresuid", "-o", str(trace)]
    command += [str(EXECUTABLE), "apply", "--config", str(here.path)]
    environ = {**os.environ, "SSL_CERT_FILE": str(authority.certificate)}

    def run() -> None:
        here.write()
        subprocess.run(command, env=environ, check=True, timeout=60)

    if way == "dns":
        run()
    else:
        with fronts[way](here.server, authority.serves("127.0.0.1")) as front:
            here.resolver = {"nameservers": [str(front)]}
            run()
    assert len(here.allowed) == 4
    assert opened_without_rights(trace) == {1: []}


@pytest.mark.usefixtures("as_root")
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_process_that_reads_aliases_has_loaded_what_it_needs_for_them(
    here: Installation, zones: dict[str, object], tmp_path: Path
) -> None:
    """Whatever else their message holds: it can open no file by then."""
    zones["bob.example.org"] = Records(
        ("@ 60 IN CNAME home.example.net.", "home.example.net. 60 IN A 81.2.69.2"),
        ("example.net. 60 IN NS ns.example.net.", "example.net. 60 IN CAA 0 issue x.example"),
    )
    here.write()
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=file,setresuid", "-o", str(trace)]
    subprocess.run(
        [*command, str(EXECUTABLE), "apply", "--config", str(here.path)], check=True, timeout=60
    )
    assert "81.2.69.2/32" in here.allowed
    assert opened_without_rights(trace) == {1: [], 2: []}


def opened_without_rights(trace: Path) -> dict[int, list[str]]:
    """What each process opened after it became another user, by its turn."""
    lines = trace.read_text().splitlines()
    changed = [(at, found[1]) for at, line in enumerate(lines) if (found := CHANGED.match(line))]
    return {
        turn: [
            line
            for line in lines[at + 1 :]
            if (found := OPENED.match(line)) and found[1] == process and "O_PATH" not in line
        ]
        for turn, (at, process) in enumerate(changed, start=1)
    }


def test_a_process_that_is_killed_costs_no_friend_access(
    here: Installation, zones: dict[str, object]
) -> None:
    here.write()
    assert here("apply").code == 0
    before = sorted(here.allowed)
    for name in zones:
        zones[name] = Silent()
    command = [str(EXECUTABLE), "apply", "--config", str(here.path)]
    here.server.asked.clear()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        while not here.server.asked:
            time.sleep(0.01)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
        *_, asking = children.split()  # the one before it reads aliases
        os.kill(int(asking), signal.SIGKILL)
        said, _ = running.communicate(timeout=120)
    assert running.returncode == 3
    assert "the resolver's process ended too early (signal 9)" in said
    assert "Traceback" not in said
    assert sorted(here.allowed) == before
