"""A cluster on loopback, and attempts without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_kubernetes import FakeKubernetes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as serving:
        yield serving


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts, one right after the other."""
    monkeypatch.setattr("allowsync_backends.kubernetes.transport.PAUSES", (0.0, 0.0))
    monkeypatch.setattr("allowsync_backends.kubernetes.transport.LONGEST_PAUSE", 0.0)
