"""Many runs at once: one works, the others say so and touch nothing."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from testkit.fake_dns.nameserver import NameServer
from tests.support.program import EXECUTABLE, Installation
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 20


def test_of_many_runs_at_once_one_works_and_the_rest_exit_5(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with NameServer({"alice.example.org": ["81.2.69.1"]}) as server:
        here = Installation(tmp_path, server, hosts={"alice": "alice.example.org"})
        # Whoever works is at work until somebody opens the other end.
        here.targets = [{"file": {"path": str(here.file), "check": ["/bin/cat", str(gate)]}}]
        here.write()
        argv = [str(EXECUTABLE), "apply", "--config", str(here.path)]
        runs = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(RUNS)]
        while sum(one.poll() is None for one in runs) > 1:
            time.sleep(0.01)
        gate.write_text("go on\n")
        said = [one.communicate()[1] for one in runs]
    codes = [one.returncode for one in runs]
    assert sorted(codes) == [0] + [5] * (RUNS - 1), said
    busy = [text for code, text in zip(codes, said, strict=True) if code == 5]
    assert all("another run holds" in text for text in busy)
    assert here.allowed == ["81.2.69.1/32"]
    record("interference_cases", runs_at_once=RUNS)
