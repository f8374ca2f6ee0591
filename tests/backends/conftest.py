"""Of the steps that fail in turn in a backend's contract, and of entries, a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.testing.contract import BackendContract
from allowsync.testing.io_faults import fake_programs
from tests.support.sampling import share
from tests.support.warm_tools import warm_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BackendContract.faults = share(BackendContract.faults, 3)
BackendContract.most = share(BackendContract.most, 500)


@pytest.fixture(scope="session")
def warm_folder(as_root: None) -> Iterator[Path]:
    """Where tools in Python are found warm: some are started for each step."""
    with warm_tools("fail2ban-client", "ufw") as folder:
        yield folder


@pytest.fixture
def warm(warm_folder: Path) -> Iterator[None]:
    """Tools in Python start at once, by their names."""
    with fake_programs(warm_folder):
        yield
