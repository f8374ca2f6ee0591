"""The promises of every backend, kept by a jail of a real Fail2ban."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.testing.contract import BackendContract
from tests.support.fail2ban import Fail2ban

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network
    from tests.support.netns import Namespace

BY_HAND = ("10.9.0.0/16", "10.9.9.9", "2001:db8:9::/48", "no address")
CONFIGURED = "[DEFAULT]\nignoreip = 127.0.0.0/8 ::1\n"
STRANGER = "185.199.108.7"


@pytest.mark.root
class TestJail(BackendContract):
    """A jail, and somebody else's ignored networks, bans and files."""

    server: Fail2ban

    @pytest.fixture(autouse=True)
    def running(self, inside: Namespace, tmp_path: Path) -> Iterator[None]:
        self.server = Fail2ban(inside, tmp_path, local=CONFIGURED)
        self.server.write()
        self.server.start()
        yield
        self.server.kill()

    def make(self) -> Backend:
        return self.server.target()

    def neighbour(self) -> Backend:
        return self.server.target("x2")

    def fingerprint(self) -> object:
        """The file, and all that the jail ignores and has banned."""
        file = self.server.file
        at_rest = (file.read_bytes(), file.stat().st_ino) if file.exists() else None
        return at_rest, self.server.ignored(), self.server.banned()

    def plant(self) -> Iterable[Network]:
        (self.server.config / "jail.d" / "mine.local").write_text("# mine\n")
        (self.server.config / "jail.d" / ".hidden").write_text("mine, too\n")
        self.server.client("set", "door", "addignoreip", *BY_HAND)
        self.server.client("set", "door", "banip", STRANGER)
        return ()

    def foreign(self) -> object:
        ours = self.server.file
        files = {
            path.name: (path.read_text(), path.stat().st_mtime_ns)
            for path in ours.parent.iterdir()
            if path != ours
        }
        theirs = {*BY_HAND, "127.0.0.0/8", "::1"}
        return files, sorted(theirs & set(self.server.ignored())), self.server.banned()

    def damage(self) -> bool:
        first, second = (str(one.network_address) for one in self.some()[:2])
        self.server.client("set", "door", "delignoreip", first)
        self.server.client("set", "door", "banip", second)
        return True
