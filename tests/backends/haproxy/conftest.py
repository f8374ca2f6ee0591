"""An HAProxy for each test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.haproxy import Haproxy, haproxy
from tests.support.haproxy_lists import put
from tests.support.internet import FRIEND
from tests.support.requests import neighbourhood

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(as_root: None, tmp_path: Path) -> Iterator[Haproxy]:
    """It runs, and lets the friend in."""
    with neighbourhood() as inside, haproxy(inside, tmp_path) as running:
        put(running, FRIEND)
        yield running
