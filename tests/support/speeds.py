"""Which tests are quick: those that open no socket and start no process, by what they import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
OUTSIDE: Final = frozenset(
    {"http.server", "multiprocessing", "pty", "select", "socket", "socketserver", "subprocess"}
)
OURS: Final = ("tests.", "testkit.")


def does_io(path: Path) -> bool:
    """Whether a test module, a conftest beside or above it, or what they import does."""
    shared = (folder / "conftest.py" for folder in path.parents if ROOT in folder.parents)
    return any(_reaches(one) for one in (path, *shared) if one.exists())


def _reaches(path: Path) -> bool:
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        outside, ours = _imports(here)
        if outside:
            return True
        waiting += ours
    return False


@cache
def _imports(path: Path) -> tuple[bool, tuple[Path, ...]]:
    """Whether a module imports what does input or output, and the modules of ours it imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    bases = [ROOT / name.replace(".", "/") for name in names if name.startswith(OURS)]
    ours = (file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py"))
    return bool(names & OUTSIDE), tuple(one for one in ours if one.exists())
