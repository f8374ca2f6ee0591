"""Root reads a state that somebody else may write, and does nothing that it made up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.program import Installation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root

SOMEBODY = 12345


def test_what_takes_root_is_not_cleared_as_such_a_state_says(tmp_path: Path, as_root: None) -> None:
    with NameServer({}) as server:
        here = Installation(tmp_path, server, {"office": {"networks": ["203.0.113.0/24"]}})
        former = tmp_path / "former.txt"
        here.targets = [
            {"file": {"path": str(former), "reload": ["touch", str(tmp_path / "reloaded")]}}
        ]
        assert here("apply").code == 0
        here.targets = []
        assert here("apply").code == 0
        (tmp_path / "reloaded").unlink()
        os.chown(here.state, SOMEBODY, -1)
        cleared = here("clear", "--yes")
        assert cleared.code == 1
        assert f"the state belongs to user {SOMEBODY}, who must not have it cleared" in cleared.err
        assert former.exists()
        assert not (tmp_path / "reloaded").exists()

        os.chown(here.state, 0, -1)
        assert here("clear", "--yes").code == 0
        assert not former.exists()
