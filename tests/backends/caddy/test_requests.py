"""Real requests to a real Caddy while its allowlist changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.caddy import PORT, caddy
from tests.support.requests import is_felt_by_nobody, neighbourhood

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root]


@pytest.mark.slow
def test_no_change_is_felt_by_a_friend_or_used_by_a_stranger(as_root: None, tmp_path: Path) -> None:
    with neighbourhood() as inside, caddy(inside, tmp_path) as server:
        # Without it, Caddy loses one in a thousand of the connections that arrive at a reload.
        inside.sysctl("net/ipv4/tcp_migrate_req", "1")
        is_felt_by_nobody("caddy", inside, server.backend(), PORT)
