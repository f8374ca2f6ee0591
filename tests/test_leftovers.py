"""A test that fails is the only one that does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import gc, socket

def test_one_that_fails():
    held = socket.socket()
    assert held is None

def test_one_that_has_nothing_to_do_with_it():
    gc.collect()
"""
HOOKS = """
from tests.conftest import pytest_runtest_makereport, pytest_runtest_protocol
"""


def test_what_a_failed_test_left_open_fails_no_other(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(HOOKS)
    (tmp_path / "test_two.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error",
         "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 failed, 1 passed" in done.stdout
    assert "unclosed" not in done.stdout + done.stderr
