"""Figures worth keeping from a test run."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(name: str, **figures: float | str) -> None:
    """Append a line of JSON to the file named by $ALLOWSYNC_SCOREBOARD, if it is set."""
    path = os.environ.get("ALLOWSYNC_SCOREBOARD")
    if path:
        line = json.dumps({"name": name, **figures}) + "\n"
        with Path(path).open("a") as file:
            file.write(line)
