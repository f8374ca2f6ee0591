"""Locks of what development needs, with hashes: `make lock`, or `python -m tools.lock --upgrade`.

`pyproject.toml` says what is wanted, `requirements/` which releases it is. All files come from one
resolution, for every Python and platform that the project supports, so any of them can share an
environment. Without `--upgrade` a release that still fits stays as it is.

At the end each file is tried with each supported Python: the resolution also takes a release that
has no wheel for one of them, which cannot be installed there.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "requirements"

PYTHONS: Final = ("3.11", "3.12", "3.13")

# What each file holds, in words of `uv pip compile`: the program itself with its build backend,
# then one dependency group each.
FILES: Final = {
    "run": ("pyproject.toml", "--group=build"),
    "test": ("--group=test",),
    "lint": ("--group=lint",),
    "man": ("--group=man",),
    "docs": ("--group=docs",),
    "fuzz": ("--group=fuzz",),
    "look": ("--group=look",),
    "lock": ("--group=lock",),
}


def main() -> None:
    """Resolve everything together, then write each file from that."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest releases")
    upgrade = parser.parse_args().upgrade
    with tempfile.TemporaryDirectory() as scratch:
        everything = Path(scratch) / "everything.txt"
        if not upgrade:
            everything.write_text("".join(path.read_text() for path in _locks()))
        wanted = dict.fromkeys(word for words in FILES.values() for word in words)
        _compile(everything, *wanted)
        for name, words in FILES.items():
            fresh = Path(scratch) / f"{name}.txt"
            _compile(fresh, *words, f"--constraint={everything}")
            shutil.copyfile(fresh, FOLDER / fresh.name)
        for name in FILES:
            for python in PYTHONS:
                _try(FOLDER / f"{name}.txt", python, Path(scratch) / "nothing")


def _locks() -> list[Path]:
    return [path for name in FILES if (path := FOLDER / f"{name}.txt").exists()]


def _try(lock: Path, python: str, target: Path) -> None:
    """Install a lock with a Python as the Makefile does, in a dry run."""
    only = ("--dry-run", f"--target={target}", f"--python-version={python}", "--no-config")
    _uv("install", "--quiet", *only, "--only-binary=:all:", "--require-hashes", f"-r{lock}")


def _compile(output: Path, *words: str) -> None:
    fixed = ("--quiet", "--universal", "--python-version=3.11", "--generate-hashes", "--no-config")
    shown = ("--no-annotate", "--custom-compile-command=make lock")
    _uv("compile", *fixed, *shown, f"--output-file={output}", *words)


def _uv(*words: str) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run((uv, "pip", *words), cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
