"""The fake as a program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from urllib.request import Request, urlopen

import pytest

ACCOUNT = "a" * 32


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "testkit.fake_cloudflare", "--verbose"]
    options = [
        "--account",
        ACCOUNT,
        "--token",
        "sesame",
        "--list",
        "friends",
        "--zone",
        "a.example",
    ]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        path = f"/accounts/{ACCOUNT}/rules/lists"
        asked = Request(url + path, headers={"Authorization": "Bearer sesame"})
        with urlopen(asked, timeout=10) as answered:
            lists = json.load(answered)["result"]
        program.send_signal(ending)
        said, _ = program.communicate(timeout=10)
    assert [each["name"] for each in lists] == ["friends"]
    assert said == f"GET {path} -> 200\n"
    assert program.returncode == 0
