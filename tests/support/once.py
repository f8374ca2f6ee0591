"""What is found out once, however many processes run the tests that go by it."""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def once(
    factory: pytest.TempPathFactory, name: str, find_out: Callable[[], dict[str, str]]
) -> dict[str, str]:
    """What was found out; by the first who asks, while all others wait.

    Args:
        factory: What makes the folders of this run.
        name: What it is called among all that is found out once.
        find_out: Finds it out.
    """
    folder = factory.getbasetemp()
    if folder.name.startswith("popen-"):
        folder = folder.parent  # what all processes have in common
    kept = folder / f"{name}.json"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(find_out()))
    found: dict[str, str] = json.loads(kept.read_text())
    return found
