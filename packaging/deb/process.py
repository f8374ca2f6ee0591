"""Programs that have to succeed, and the day that a build bears."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
_EARLIEST: Final = 315_532_800  # 1980-01-01


def run(*argv: str) -> str:
    """Run a program; what it prints. What is wrong goes to standard error.

    Raises:
        CalledProcessError: It failed.
    """
    environ = {
        **os.environ,
        "SOURCE_DATE_EPOCH": str(epoch()),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # What is called from the package itself must leave nothing in it.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, env=environ)
    return done.stdout


@cache
def epoch() -> int:
    """Seconds since 1970: `SOURCE_DATE_EPOCH`, else the last commit, else 1980-01-01.

    The same sources make the same package, to the byte
    (https://reproducible-builds.org/specs/source-date-epoch/).
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    git = ("git", "-C", str(PROJECT), "log", "-1", "--format=%ct")
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # an unpacked archive needs no git
        return _EARLIEST
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else _EARLIEST
