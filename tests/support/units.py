"""What systemd itself says of units, in a folder that stands for the root."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def analyzed(verb: str, root: Path, *words: str) -> str:
    """What `systemd-analyze` prints; it must not fail."""
    done = subprocess.run(
        ["systemd-analyze", verb, f"--root={root}", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def exposure(root: Path, unit: str) -> float:
    """How exposed a service is, from 0 to 10."""
    said = analyzed("security", root, "--offline=true", "--no-pager", unit)
    found = re.search(rf"level for {re.escape(unit)}: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])
