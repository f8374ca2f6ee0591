"""Locks of what development needs, with hashes: `make lock`, or `python -m tools.lock --upgrade`.

`pyproject.toml` says what is wanted, `requirements/` which releases it is. All files come from one
resolution, for every Python and platform that the project supports, so any of them can share an
environment. Without `--upgrade` a release that still fits stays as it is.
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


def _locks() -> list[Path]:
    return [path for name in FILES if (path := FOLDER / f"{name}.txt").exists()]


def _compile(output: Path, *words: str) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    fixed = ("--quiet", "--universal", "--python-version=3.11", "--generate-hashes", "--no-config")
    shown = ("--no-annotate", "--custom-compile-command=make lock")
    command = (uv, "pip", "compile", *fixed, *shown, f"--output-file={output}", *words)
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
