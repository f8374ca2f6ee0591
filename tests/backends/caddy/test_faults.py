"""What goes wrong around Caddy."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.caddy.syntax import CaddySyntax
from allowsync_backends.file.syntax import header

from allowsync.backend.api import OutcomeUnknown
from tests.support import faults
from tests.support.caddy import PORT, Caddy
from tests.support.faults import LAN, put
from tests.support.internet import FRIEND, SERVER
from tests.support.requests import NONE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.model.types import Network
    from tests.support.netns import Namespace
    from tests.support.servers import Served

pytestmark = [pytest.mark.root]


class Mistaken(CaddySyntax):
    """Writes what Caddy does not take."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        return f"# {header(allowlist)}\n(allowsync_x) {{\n\tshut_out {list(networks)}\n}}\n"


class TestCaddy(faults.Faults):
    PORT = PORT
    REFUSED = NONE
    MISTAKEN = Mistaken()
    OBJECTION = r"caddy failed with exit code 1 \(.*: unrecognized directive: shut_out\)"
    SPOILT = "\nhttp://:1 {\n\tno_such_directive\n}\n"

    def make(self, inside: Namespace, folder: Path) -> Served:
        # Else a request in the moment of a reload is reset now and then, as `check` says.
        inside.sysctl("net/ipv4/tcp_migrate_req", "1")
        server = Caddy(inside, folder)
        server.write()
        return server

    def asked(self, source: str) -> int:
        """Asked once more where nothing came.

        After a reload that failed, the server that was made for it closes a moment later, with the
        connections that came to it.
        """
        if code := super().asked(source):
            return code
        time.sleep(0.2)
        return super().asked(source)

    def without(self) -> None:
        assert isinstance(self.server, Caddy)
        self.server.site, self.server.imports = "abort", ""
        self.server.write()

    def test_what_only_the_running_caddy_can_tell_is_told_by_its_reload(self) -> None:
        """Whether a port can be had is seen only when Caddy takes it: then it keeps the old."""
        good = self.server.config.read_text()
        with self.server.inside.run(socket.create_server, (SERVER, 99)):
            self.server.config.write_text(f"{good}\nhttp://:99 {{\n\tbind {SERVER}\n}}\n")
            error = self.fails(LAN)
            assert isinstance(error, OutcomeUnknown)
            assert "the old file is back, but caddy failed with exit code 1" in str(error)
            assert any(self.asked(FRIEND) == 200 for _ in range(20))
            (flaw,) = self.server.backend().read().flaws
            assert "was not confirmed" in flaw
        self.server.config.write_text(good)
        put(self.server, FRIEND)
        self.is_well()

    def test_without_its_admin_api_nothing_is_confirmed(self) -> None:
        assert isinstance(self.server, Caddy)
        self.server.stop()
        self.server.admin = "off"
        self.server.write()
        self.server.start()
        assert isinstance(self.fails(LAN), OutcomeUnknown)
        (finding,) = (
            one
            for one in self.server.inside.run(self.server.backend().check)
            if "cannot be reloaded" in one.what
        )
        assert finding.what == "caddy cannot be reloaded: its admin API is off"
