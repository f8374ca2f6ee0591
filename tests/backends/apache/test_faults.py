"""What goes wrong around Apache."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.apache.syntax import ApacheSyntax
from allowsync_backends.file.syntax import header

from allowsync.backend.api import OutcomeUnknown
from tests.support import faults
from tests.support.apache import PORT, Apache
from tests.support.faults import LAN, put
from tests.support.internet import FRIEND, SERVER
from tests.support.requests import OK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.model.types import Network
    from tests.support.netns import Namespace
    from tests.support.servers import Served

pytestmark = [pytest.mark.root]

FORBIDDEN = 403


class Mistaken(ApacheSyntax):
    """Writes what Apache does not take."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        return f"# {header(allowlist)}\nRequire ip {' '.join(map(str, networks))}/24\n"


class TestApache(faults.Faults):
    PORT = PORT
    REFUSED = FORBIDDEN
    MISTAKEN = Mistaken()
    OBJECTION = r"apache2 failed with exit code 1 \(.*friends\.conf: .*appears to be invalid"
    SPOILT = "NoSuchDirective\n"

    def make(self, inside: Namespace, folder: Path) -> Served:
        server = Apache(inside, folder)
        server.write()
        return server

    def without(self) -> None:
        assert isinstance(self.server, Apache)
        self.server.around = "    # {}\n    Require all denied"
        self.server.write()

    def test_a_reload_that_ends_it_is_told_and_the_old_file_is_there_for_its_start(self) -> None:
        """Whether a port can be had is seen only when Apache takes it: then it ends."""
        assert isinstance(self.server, Apache)
        self.server.listen = (*self.server.listen, f"{SERVER}:99")
        self.server.write()
        with self.server.inside.run(socket.create_server, (SERVER, 99)):
            error = self.fails(LAN)
        assert "apache exited during the reload" in str(error)
        assert not isinstance(error, OutcomeUnknown)
        self.server.stop()
        self.server.start()
        assert self.asked(FRIEND) == OK
        put(self.server, FRIEND, LAN)
        self.is_well()
