"""The programs in the documentation run as they stand."""

from __future__ import annotations

import pytest

from tests.support.documents import ROOT, DocumentBlock, blocks_of

PROGRAMS = [one for one in blocks_of(ROOT / "docs/testing.md") if one.language == "python"]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_in_the_documentation_does_what_it_asserts(program: DocumentBlock) -> None:
    assert "assert " in program.text
    exec(compile(program.text, str(program), "exec"), {"__name__": "example"})
