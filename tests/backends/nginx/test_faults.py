"""What goes wrong around nginx."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server import reader
from allowsync_backends.file.syntax import header
from allowsync_backends.nginx import Style
from allowsync_backends.nginx.syntax import AllowSyntax

from allowsync.backend.api import OutcomeUnknown
from tests.backends.nginx.test_requests import FORBIDDEN, GUARDED
from tests.support import faults
from tests.support.faults import LAN, put
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.nginx import PORT, Nginx, program
from tests.support.requests import OK, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.model.types import Network
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root]


class Mistaken(AllowSyntax):
    """Writes what nginx does not take."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        return f"# {header(allowlist)}\nallow {' '.join(map(str, networks))} friend;\n"


class TestNginx(faults.Faults):
    PORT = PORT
    REFUSED = FORBIDDEN
    MISTAKEN = Mistaken()
    OBJECTION = r"nginx failed with exit code 1 \(.*friends\.conf:2.*\)"
    SPOILT = "no_such_directive;\n"
    server: Nginx

    def make(self, inside: Namespace, folder: Path) -> Nginx:
        server = Nginx(folder, inside)
        server.configure(GUARDED[Style.ALLOW])
        return server

    def without(self) -> None:
        http = GUARDED[Style.ALLOW].replace("include ours/friends.conf;", "deny all;")
        self.server.configure(http)

    def test_a_reload_that_fails_although_the_check_did_not_is_unknown_and_made_up_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether a port can be had is seen only when nginx takes it."""
        monkeypatch.setattr(reader, "PATIENCE", 1.0)
        good, ours = self.server.config.read_text(), f"listen {SERVER}:{PORT};"
        with self.server.inside.run(socket.create_server, (SERVER, 99)):
            self.server.config.write_text(good.replace(ours, f"{ours} listen {SERVER}:99;"))
            error = self.fails(LAN)
            assert isinstance(error, OutcomeUnknown)
            assert "has started no new process within 1 s; the old file is back, but" in str(error)
            assert self.asked(FRIEND) == OK
            (flaw,) = self.server.backend().read().flaws
            assert "was not confirmed" in flaw
        self.server.config.write_text(good)
        monkeypatch.undo()
        put(self.server, FRIEND)
        self.is_well()

    def test_what_was_changed_by_hand_and_is_in_force_is_taken_back(self) -> None:
        path = self.server.path
        guest = f"allow {STRANGER};  # a guest\ndeny all"
        path.write_text(path.read_text().replace("deny all", guest))
        os.kill(self.server.pid, signal.SIGHUP)
        wait_for(self.server.inside, STRANGER, PORT)
        assert self.server.backend().read().flaws == (f"{path} was edited",)
        put(self.server, FRIEND)
        self.is_well()

    def test_the_check_itself_leaves_an_empty_pid_file_which_means_nobody(self) -> None:
        self.server.stop()
        argv = (program(), "-t", "-q", "-c", str(self.server.config))
        run = subprocess.run
        self.server.inside.run(lambda: run(argv, check=True, capture_output=True))
        assert self.server.pid_file.read_bytes() == b""
        put(self.server, FRIEND, LAN)
