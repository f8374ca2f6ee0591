"""A Python for templates that has imported what renders them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.warm_tools import warm_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def template_python() -> Iterator[Path]:
    """What is started in Python's place."""
    with warm_tools("template-python") as folder:
        yield folder / "template-python"


@pytest.fixture
def warm_templates(template_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates are rendered at once, each in a process of its own all the same."""
    monkeypatch.setattr(sys, "executable", str(template_python))
