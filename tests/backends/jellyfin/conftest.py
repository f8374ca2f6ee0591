"""A Jellyfin on loopback, and the promise that nothing but its API was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_jellyfin import FakeJellyfin
from tests.support.jellyfin_api import objections

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeJellyfin]:
    """At the end, everything that passed through it is held to the description of the API."""
    with FakeJellyfin() as serving:
        yield serving
    assert objections(serving) == []
