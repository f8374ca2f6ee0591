"""The promises of every backend, kept by jails of a real Fail2ban, and where none runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.testing.contract import BackendContract
from tests.support.fail2ban import Fail2ban

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.backend import Backend
    from tests.support.netns import Namespace

JAILS = ("door", "gate")
BY_HAND = ("10.9.0.0/16", "10.9.9.9", "2001:db8:9::/48")
CONFIGURED = "[DEFAULT]\nignoreip = 127.0.0.0/8 ::1\n"
STRANGER = "185.199.108.7"


class OfFail2ban(BackendContract):
    """Two jails, and somebody else's ignored networks, bans and files."""

    server: Fail2ban

    def make(self) -> Backend:
        return self.server.target()

    def fingerprint(self) -> object:
        """The file, and all that the jails ignore and have banned."""
        file = self.server.file
        at_rest = (file.read_bytes(), file.stat().st_ino) if file.exists() else None
        return at_rest, [(self.server.ignored(one), self.server.banned(one)) for one in JAILS]

    def plant(self) -> None:
        (self.server.config / "jail.d" / "mine.local").write_text("# mine\n")
        (self.server.config / "jail.d" / ".hidden").write_text("mine, too\n")

    def foreign(self) -> object:
        ours = self.server.file
        return {
            path.name: (path.read_text(), path.stat().st_mtime_ns)
            for path in ours.parent.iterdir()
            if path != ours
        }


@pytest.mark.root
class TestJails(OfFail2ban):
    @pytest.fixture(autouse=True)
    def running(self, inside: Namespace, tmp_path: Path) -> Iterator[None]:
        self.server = Fail2ban(inside, tmp_path, JAILS, local=CONFIGURED)
        self.server.write()
        self.server.start()
        yield
        self.server.kill()

    def plant(self) -> None:
        super().plant()
        for jail in JAILS:
            self.server.client("set", jail, "addignoreip", *BY_HAND)
            self.server.client("set", jail, "banip", STRANGER)

    def foreign(self) -> object:
        theirs = {*BY_HAND, "127.0.0.0/8", "::1"}
        kept = [sorted(theirs & set(self.server.ignored(jail))) for jail in JAILS]
        return super().foreign(), kept, [self.server.banned(jail) for jail in JAILS]

    def damage(self) -> bool:
        first = str(self.some()[0].network_address)
        self.server.client("set", "door", "delignoreip", first)
        self.server.client("set", "gate", "banip", first)
        return True


@pytest.mark.root
class TestNoServer(OfFail2ban):
    """Fail2ban is there but does not run: there is the file alone."""

    @pytest.fixture(autouse=True)
    def down(self, inside: Namespace, tmp_path: Path) -> None:
        self.server = Fail2ban(inside, tmp_path, JAILS, local=CONFIGURED)
        self.server.write()

    def damage(self) -> bool:
        with self.server.file.open("a") as file:
            file.write("    10.0.0.0/8\n")
        return True
