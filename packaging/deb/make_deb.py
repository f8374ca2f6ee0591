"""Makes the Debian package: `make_deb.py build FOLDER`; or pins what it brings along: `… lock`.

Run with the project's own Python: the manual pages are made from the program.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from layout import lay_out
from papers import PACKAGE, control_files, version
from process import run
from vendored import fetch, lock


def build(folder: Path) -> Path:
    """Make the package in a folder; its file."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheels = fetch(Path(scratch) / "wheels")
        root = Path(scratch) / "root"
        lay_out(root, wheels)
        control_files(root)
        target = folder / f"{PACKAGE}_{version()}_all.deb"
        run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(target))
    return target


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["build", out]:
            print(build(Path(out)))
        case ["lock"]:
            lock()
        case _:
            sys.exit(__doc__)
