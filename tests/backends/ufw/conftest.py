"""A namespace with a UFW of its own, for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.netns import Namespace
from tests.support.ufw import with_ufw

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def inside(as_root: None, warm: None) -> Iterator[Namespace]:
    """The namespace; UFW is enabled in it, and has no rules."""
    with Namespace() as namespace:
        with_ufw(namespace)
        yield namespace
