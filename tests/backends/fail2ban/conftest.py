"""A network namespace with nothing in it, for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def inside(as_root: None, warm: None) -> Iterator[Namespace]:
    """The namespace; what runs in it sees no other firewall."""
    with Namespace() as namespace:
        yield namespace
