"""The page of each backend speaks of each of its options."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import ROOT
from tools.docgen.reference import entries

OF_A_TARGET = re.compile(r"(?:denylists\.NAME\.)?targets\.(?P<backend>[a-z0-9]+)\.(?P<path>.+)")
OPTIONS = sorted(
    {
        (found["backend"], found["path"])
        for name, _ in entries()
        if (found := OF_A_TARGET.match(name))
    }
)


def test_every_backend_has_options_and_a_page() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "backends").glob("*.md")}
    assert {backend for backend, _ in OPTIONS} == pages - {"crowdsec"}


@pytest.mark.parametrize(("backend", "path"), OPTIONS)
def test_a_page_speaks_of_the_option(backend: str, path: str) -> None:
    """As a word of code, or as a key of an example."""
    page = (ROOT / "docs" / "backends" / f"{backend}.md").read_text()
    name = re.escape(path.rpartition(".")[2])
    assert re.search(rf"`{name}[`:]|(?:^|[\s{{`-]){name}:", page, re.MULTILINE), (
        f"docs/backends/{backend}.md says nothing of `{path}`"
    )
