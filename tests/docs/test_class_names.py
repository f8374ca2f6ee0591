"""A class name occurs once in the project, as CONTRIBUTING.md says."""

from __future__ import annotations

import ast
from collections import Counter

from tests.support.documents import ROOT

# Stands for the one of `typing`, and is called so.
_OF_TYPING = {"Protocol"}


def test_a_class_name_occurs_once() -> None:
    files = [one for top in ("allowsync", "backends") for one in ROOT.glob(f"{top}/**/*.py")]
    trees = [ast.parse(one.read_text()) for one in files]
    names = [
        each.name for tree in trees for each in ast.walk(tree) if isinstance(each, ast.ClassDef)
    ]
    often = {name for name, count in Counter(names).items() if count > 1}
    assert len(names) > 500
    assert often - _OF_TYPING == set()
