"""A virtual environment as a user has it: the program with what it needs, and nothing else.

The environment that tests run in holds a hundred distributions more. Some run at the start of every
interpreter, and all are looked through for backends.
"""

from __future__ import annotations

import re
import venv
from importlib.metadata import distribution
from pathlib import Path

import allowsync_backends

import allowsync

NAME = re.compile(r"[A-Za-z0-9._-]+")


def installed(folder: Path) -> Path:
    """Make the environment; its `allowsync`."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for name in _needed("allowsync"):
        one = distribution(name)
        for top in {file.parts[0] for file in one.files or () if ".." not in file.parts}:
            if not top.endswith((".pth", "__pycache__")):
                (packages / top).symlink_to(str(one.locate_file(top)))
    for package in (allowsync, allowsync_backends):
        source = Path(str(package.__file__)).parent
        (packages / source.name).symlink_to(source)
    return _program(folder / "bin")


def _needed(name: str) -> set[str]:
    """A distribution and all that it needs, extras left out, by their normalised names."""
    found, waiting = set(), [name]
    while waiting:
        one = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if one not in found:
            found.add(one)
            needs = [text for text in distribution(one).requires or () if ";" not in text]
            waiting += [match[0] for match in map(NAME.match, needs) if match]
    return found


def _program(folder: Path) -> Path:
    """The starter that pip makes."""
    program = folder / "allowsync"
    text = "import sys\nfrom allowsync.__main__ import main\nsys.exit(main())\n"
    program.write_text(f"#!{folder / 'python'}\n{text}")
    program.chmod(0o755)
    return program
