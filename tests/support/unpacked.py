"""Debian's packages as files: of those that would start a service where they are installed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(name: str, *packages: str) -> Path:
    """Packages, unpacked into `.cache/NAME` once. Skips a test where there are no such packages."""
    cache = ROOT / ".cache" / name
    cache.parent.mkdir(exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.exists():
            _unpack(cache, " ".join(packages))
    return cache


def _unpack(cache: Path, packages: str) -> None:
    new = cache.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    get = f"apt-get download -qq {packages}"
    each = "for one in *.deb; do dpkg-deb -x $one . || exit; done; rm *.deb"
    done = subprocess.run(
        ["sh", "-c", f"({get} || {{ apt-get update -qq && {get}; }}) && {each}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=new,
    )
    if done.returncode:
        pytest.skip(f"needs Debian's packages {packages}: {done.stderr.strip()}")
    new.rename(cache)
