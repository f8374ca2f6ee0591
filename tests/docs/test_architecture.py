"""The architecture pages name packages and functions that exist."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import ROOT
from tools.docgen.pictures import layers, purposes, steps

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\[`([\w.]+)`\]\(\.\./([\w/]+\.py)\)")
LINKS = sorted(set(LINK.findall((ROOT / "docs/one-run.md").read_text())))


def names(path: Path) -> set[str]:
    """The functions and classes of a module, and the methods as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (one for one in node.body if isinstance(one, ast.FunctionDef))
            found |= {f"{node.name}.{one.name}" for one in methods}
    return found


@pytest.mark.parametrize(("name", "path"), LINKS)
def test_a_linked_function_exists(name: str, path: str) -> None:
    assert name in names(ROOT / path)


def test_every_step_of_a_run_links_to_a_function() -> None:
    sections = re.split(r"^## ", (ROOT / "docs/one-run.md").read_text(), flags=re.MULTILINE)[1:]
    assert len(sections) == len(steps()) >= 10
    assert [one.partition("\n")[0] for one in sections if not LINK.search(one)] == []


def test_contributing_names_every_package_of_the_contracts_in_their_order() -> None:
    named = [name for layer in layers() for name in layer]
    assert len(named) >= 10
    assert list(purposes()) == named


def test_every_package_of_the_core_is_in_the_contracts() -> None:
    named = {name for layer in layers() for name in layer}
    found = {one.parent.name for one in (ROOT / "allowsync").glob("*/__init__.py")}
    assert named == found - {"testing"} | {"text"}
