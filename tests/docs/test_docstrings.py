"""The first line of a docstring is a phrase that works in an index, as CONTRIBUTING.md says."""

from __future__ import annotations

import ast
import re

from tests.support.documents import ROOT

# A sentence that begins so names no subject.
RIDDLE = re.compile(r"(What|Who|Whom|Whose|How|Where|When|Why|Whatever|Whoever|Nobody|Somebody)\b")


def test_a_docstring_begins_with_its_subject_or_a_verb() -> None:
    files = [one for top in ("allowsync", "backends") for one in ROOT.glob(f"{top}/**/*.py")]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    said = [
        (file.relative_to(ROOT), ast.get_docstring(node) or "")
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, documented)
    ]
    assert sum(bool(text) for _, text in said) > 4000
    riddles = [f"{file}: {text.splitlines()[0]}" for file, text in said if RIDDLE.match(text)]
    assert riddles == []
