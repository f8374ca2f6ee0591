"""Runs of the model leave out what cannot matter to firewalls in memory."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from allowsync.backend import containment
from allowsync.engine import orphan_targets


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes a third of the time, and cannot matter to firewalls in memory.

    These are the containment of what a backend changes around it, and the search for marks of ours
    in this machine's own firewalls.
    """
    monkeypatch.setattr(containment, "Surroundings", lambda **_: nullcontext())
    monkeypatch.setattr(orphan_targets, "_installed", lambda: ())
