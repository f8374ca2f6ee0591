"""Real requests to a real Apache while its allowlist changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.apache import PORT, apache
from tests.support.requests import is_felt_by_nobody, neighbourhood

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root]


@pytest.mark.slow
@pytest.mark.parametrize(("mpm", "applies"), [("event", 120), ("prefork", 80)])
def test_no_change_is_felt_by_a_friend_or_used_by_a_stranger(
    as_root: None, tmp_path: Path, mpm: str, applies: int
) -> None:
    with neighbourhood() as inside, apache(inside, tmp_path, mpm=mpm) as server:
        is_felt_by_nobody("apache", inside, server.backend(), PORT, applies=applies)
