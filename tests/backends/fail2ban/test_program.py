"""Runs of the whole program on a real Fail2ban: what they say, and when they say nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.fail2ban import Fail2ban, fail2ban
from tests.support.program import allowsync_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

OFFICE, OFFICE6 = "81.2.69.0/24", "2a02:8109:9a40::/48"
STRANGER = "185.199.108.7"


class Installed:
    """A configuration with fixed networks and one target."""

    def __init__(self, server: Fail2ban) -> None:
        self.server = server
        self.folder = server.folder
        options = {
            "jails": list(server.jails),
            "config": str(server.config),
            "socket": str(server.socket),
        }
        document = {
            "hosts": {"office": {"networks": [OFFICE, OFFICE6]}},
            "allowlists": {"x": {"targets": [{"fail2ban": options}]}},
        }
        (self.folder / "config.yaml").write_text(json.dumps(document))
        (self.folder / "config.yaml").chmod(0o600)

    def apply(self) -> str:
        """What a run prints that must succeed."""
        where = ("--config", str(self.folder / "config.yaml"))
        state = ("--state", str(self.folder / "state.db"))
        return allowsync_in(self.server.inside, "apply", *where, *state)


@pytest.mark.root
def test_runs_say_what_they_changed_and_nothing_otherwise(
    inside: Namespace, tmp_path: Path
) -> None:
    with fail2ban(inside, tmp_path) as server:
        installed = Installed(server)
        first = installed.apply()
        assert f"+ {OFFICE}" in first
        assert f"+ {OFFICE6}" in first
        assert [installed.apply() for _ in range(2)] == ["", ""]

        server.client("set", "door", "banip", "81.2.69.142", STRANGER)
        assert "~ jail door has banned 81.2.69.142" in installed.apply()
        assert server.banned() == [STRANGER]
        server.client("reload")
        assert "~ jail door does not ignore 2 networks" in installed.apply()
        assert [installed.apply() for _ in range(2)] == ["", ""]

        server.kill()
        assert [installed.apply() for _ in range(2)] == ["", ""]
        server.start()
        assert "~ jail door does not ignore 2 networks" in installed.apply()
