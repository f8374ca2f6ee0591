"""The backend shown to third parties keeps every promise, and the test shown with it can be run."""

from __future__ import annotations

import pydoc
import re
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from allowsync import backend
from allowsync.backend.api import BackendType
from allowsync.config import kinds
from allowsync.config.schema.object import Object
from allowsync.model import Entry
from allowsync.plan import Plan
from allowsync.testing.contract import BackendContract
from tests.support.documents import ROOT, DocumentBlock, blocks_of

PAGE = ROOT / "docs/writing-a-backend.md"
BACKEND, TESTS = (one for one in blocks_of(PAGE) if one.language == "python")
VALUES: tuple[Any, ...] = (
    *(backend.BackendType, backend.Placement, backend.Capabilities, backend.Current),
    *(Plan, Entry, backend.Finding, backend.Needs, backend.Marked),
)


def module(name: str, block: DocumentBlock) -> ModuleType:
    """A block as a module, as if it were installed."""
    made = ModuleType(name)
    sys.modules[name] = made
    exec(compile(block.text, str(block), "exec"), vars(made))
    return made


SPOOL = module("allowsync_spool", BACKEND)


SHOWN: Any = module("test_allowsync_spool", TESTS)


class TestTheDocumentedBackend(SHOWN.TestSpool):  # type: ignore[misc]
    """Every promise, with the hooks that the documentation shows."""


class TestTheDocumentedType(SHOWN.TestType):  # type: ignore[misc]
    """Every promise of a type, with the options that the documentation shows."""


def test_the_documented_test_is_the_contract() -> None:
    assert issubclass(TestTheDocumentedBackend, BackendContract)


def test_the_documented_type_can_stand_in_a_configuration() -> None:
    kind = SPOOL.TYPE
    assert isinstance(kind, BackendType)
    assert set(Object(kind.options).options) == {field.name for field in fields(kind.options)}
    assert all(one.name[0] == "/a" for one in kind.options(Path("/a")).places("web"))


def documented_fields(name: str) -> list[str]:
    """The fields in the table of a value."""
    table = PAGE.read_text().split(f"\n| `{name}` | |\n|---|---|\n")[1].split("\n\n")[0]
    return [one for row in table.splitlines() for one in re.findall(r"`(\w+)`", row.split("|")[1])]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value.__name__))
def test_every_field_is_documented_and_no_other(value: Any) -> None:
    assert documented_fields(value.__name__) == [field.name for field in fields(value)]


def test_every_field_of_a_place_is_documented() -> None:
    assert documented_fields("Place") == list(backend.Place._fields)


def test_help_tells_all_names_and_the_page_every_kind() -> None:
    kinds_help = pydoc.plain(pydoc.render_doc(kinds))
    backend_help = pydoc.plain(pydoc.render_doc(backend))
    made = [name for name in kinds.__all__ if isinstance(getattr(kinds, name), type)]
    assert [name for name in made if f"class {name}(" not in kinds_help] == []
    assert [one for one in ("Backend", "Restorable") if f"class {one}(" not in backend_help] == []
    of_the_core = {kinds.Kind, kinds.Leaf, kinds.Name, kinds.Unreachable}
    for name in made:
        kind = getattr(kinds, name)
        if issubclass(kind, kinds.Kind) and kind not in of_the_core:
            assert f"`{name}(" in PAGE.read_text(), name
