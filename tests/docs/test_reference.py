"""The reference in the repository is the one the program makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_reference_is_current() -> None:
    command = [sys.executable, "-m", "allowsync.config.reference"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept = Path(__file__).parents[2] / "docs" / "reference.md"
    assert kept.read_text() == made, "make docs brings it up to date"
