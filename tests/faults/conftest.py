"""A stage for each test, on a disk in memory where there is one: thousands of runs wait for it."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.faults.harness import Warm
from tests.faults.stage import Stage
from tests.support.netns import Namespace
from tests.support.warm_tools import warm_tools

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session", autouse=True)
def warm_python() -> Iterator[None]:
    """Each stage starts an interpreter that has imported most of what a run needs."""
    with warm_tools("allowsync-python") as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(Warm, "python", folder / "allowsync-python")
        yield


@contextmanager
def staged() -> Iterator[Stage]:
    """A stage without a firewall."""
    with memory_folder() as folder, NameServer({}) as server, Warm() as warm:
        yield Stage(folder, server, warm)


@contextmanager
def staged_inside() -> Iterator[Stage]:
    """A stage in a network namespace of its own."""
    with memory_folder() as folder, ExitStack() as stack:
        inside = stack.enter_context(Namespace())
        server = stack.enter_context(inside.run(NameServer, {}))
        warm = stack.enter_context(Warm(inside))
        yield Stage(folder, server, warm, inside)


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder for a stage."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as one:
        yield one


@pytest.fixture
def guarded(as_root: None) -> Iterator[Stage]:
    with staged_inside() as one:
        yield one
