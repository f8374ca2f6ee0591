"""What the documentation has from the program is what the program says."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from tests.support.documents import ROOT
from tools.docgen.__main__ import documents

MADE = documents()


@pytest.mark.parametrize("name", MADE)
def test_a_generated_document_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == MADE[name], "make reference brings it up to date"


def test_the_published_schema_is_one() -> None:
    schema = json.loads(MADE["schema.json"])
    Draft202012Validator.check_schema(schema)
    wrong = {"hosts": {"alice": 7}, "allowlists": {}}
    right = {
        "hosts": {"alice": "alice.example.org"},
        "allowlists": {"web": {"targets": [{"file": {"path": "/srv/friends"}}]}},
    }
    assert not Draft202012Validator(schema).is_valid(wrong)
    assert Draft202012Validator(schema).is_valid(right)
