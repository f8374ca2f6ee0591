"""The Debian package, built once for all workers."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import ROOT

MAKE = ROOT / "packaging" / "deb" / "make_deb.py"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `make deb` makes it."""
    shared = tmp_path_factory.getbasetemp()
    if (shared.parent / "popen-gw0").exists():
        shared = shared.parent  # the folder that all workers have in common
    folder = shared / "deb"
    with (shared / "deb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return next(folder.glob("*.deb"), None) or build(folder)


def build(folder: Path) -> Path:
    """Make the package in a folder."""
    done = subprocess.run(
        [sys.executable, MAKE, "build", folder],
        capture_output=True,
        text=True,
        check=False,
        # To make it small takes most of the time, and it is thrown away.
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "DPKG_DEB_COMPRESSOR_LEVEL": "1"},
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
