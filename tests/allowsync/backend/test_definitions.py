"""Which modules are watched while code of others runs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from allowsync.backend import definitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

TOP = Path(__file__).parents[3]


def imported() -> Iterator[str]:
    """The first part of the name of each module that the product imports."""
    for folder in ("allowsync", "backends"):
        for path in (TOP / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Import(names=names):
                        yield from (one.name.partition(".")[0] for one in names)
                    case ast.ImportFrom(module=str(module), level=0):
                        yield module.partition(".")[0]
                    case _:
                        pass


def test_all_that_the_product_imports_is_watched() -> None:
    # pytest is there in tests of a backend alone
    assert set(imported()) - {"__future__", "pytest"} <= definitions._WATCHED


def test_a_library_that_only_others_load_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = ModuleType("a_library"), ModuleType("json.made_up")
    for module in (theirs, ours):
        module.answer = len  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    definitions.note()
    for module in (theirs, ours):
        module.answer = max  # type: ignore[attr-defined]
    definitions.put_back()
    assert theirs.answer is max
    assert ours.answer is len
