"""Every protection that is claimed names tests that try it, and those exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.documents import ROOT

PAGE = ROOT / "docs/threat-model.md"


def protections() -> dict[str, list[str]]:
    """Each threat, with the tests named for it."""
    _, _, rest = PAGE.read_text().partition("## What it protects against")
    section = rest.partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {row[0].strip("| "): re.findall(r"`([^`]+)`", row[-1]) for row in rows[1:]}


PROTECTIONS = protections()


def functions_of(path: str) -> set[str]:
    """The names of the tests in a file, those in classes included."""
    nodes = ast.walk(ast.parse((ROOT / "tests" / path).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("threat", PROTECTIONS)
def test_what_stands_against_a_threat_is_tried(threat: str) -> None:
    assert PROTECTIONS[threat], "no test is named"
    for named in PROTECTIONS[threat]:
        path, separator, test = named.partition("::")
        assert separator, f"{named} names no test"
        assert test.startswith("test_")
        assert test in functions_of(path), f"{named} does not exist"


def test_there_are_protections() -> None:
    assert len(PROTECTIONS) >= 14
