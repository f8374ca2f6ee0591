"""The backend shown to third parties keeps every promise, and the test shown with it can be run."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

from allowsync.backend.api import BackendType
from allowsync.config.schema.object import Object
from allowsync.testing.contract import BackendContract
from tests.support.documents import ROOT, DocumentBlock, blocks_of

BACKEND, TESTS = (
    one for one in blocks_of(ROOT / "docs/writing-a-backend.md") if one.language == "python"
)


def module(name: str, block: DocumentBlock) -> ModuleType:
    """A block as a module, as if it were installed."""
    made = ModuleType(name)
    sys.modules[name] = made
    exec(compile(block.text, str(block), "exec"), vars(made))
    return made


SPOOL = module("allowsync_spool", BACKEND)


class TestTheDocumentedBackend(module("test_allowsync_spool", TESTS).TestSpool):  # type: ignore[misc]
    """Every promise, with the hooks that the documentation shows."""


def test_the_documented_test_is_the_contract() -> None:
    assert issubclass(TestTheDocumentedBackend, BackendContract)


def test_the_documented_type_can_stand_in_a_configuration() -> None:
    kind = SPOOL.TYPE
    assert isinstance(kind, BackendType)
    assert set(Object(kind.options).options) == {field.name for field in fields(kind.options)}
    assert kind.options(Path("/a")).places("web") == kind.options(Path("/a")).places("ssh")
