"""A Python for notices that has imported Apprise and all its plug-ins, and folders in memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.memory import tmp_path as tmp_path
from tests.support.warm_tools import warm_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def apprise_python() -> Iterator[Path]:
    """What is started in Python's place."""
    with warm_tools("apprise-python") as folder:
        yield folder / "apprise-python"


@pytest.fixture
def warm_apprise(apprise_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices go out at once, all of a run in a process of its own all the same."""
    monkeypatch.setattr(sys, "executable", str(apprise_python))
