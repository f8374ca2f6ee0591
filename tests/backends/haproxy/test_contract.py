"""The promises of every backend, kept by an HAProxy that runs all the while."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from allowsync_backends.file.syntax import TextSyntax

from tests.support.haproxy import Haproxy
from tests.support.netns import Namespace
from tests.support.servers import OneOfSeveral
from tests.support.within import Within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network

FOREIGN = "198.51.100.0/24"


@pytest.mark.root
class Running(OneOfSeveral):
    """The list is one of two that HAProxy has loaded; its configuration can do without by now."""

    told: ClassVar[bool]
    server: Haproxy

    @pytest.fixture(autouse=True)
    def target(self, as_root: None, tmp_path: Path) -> Iterator[None]:
        with Namespace() as inside:
            self.server = Haproxy(inside, tmp_path, told=self.told, listen=("127.0.0.1:8080",))
            other = self.server.path.with_name("others.lst")
            self.server.rule += f"\n    http-request deny if {{{{ src -f {other} }}}}"
            self.server.write()
            other.write_text(f"# mine\n{FOREIGN}\n")
            self.server.path.write_text(TextSyntax().render("x", ()))
            self.server.start()
            self.server.rule = f"http-request deny if {{{{ src -f {other} }}}}"
            self.server.write()
            self.server.path.unlink()
            yield
            self.server.stop()

    def make(self) -> Backend:
        return Within(self.server.inside, self.server.backend())

    def plant(self) -> Iterable[Network]:
        self.server.path.with_name("friends").write_text("mine too\n")
        self.server.ask(f"add acl {self.server.path.with_name('others.lst')} 198.51.100.9")
        return ()

    def foreign(self) -> object:
        # What somebody told a process is gone after a reload, whoever asks for that.
        other = self.server.path.with_name("others.lst")
        return super().foreign(), self.server.ask(f"show acl {other}") if self.told else ""


class TestReloaded(Running):
    told = False


class TestTold(Running):
    told = True


class TestDriftOfARunningOne(TestTold):
    """Somebody changed the list of the running process, and the file is as it was."""

    def damage(self) -> bool:
        said = self.server.ask(
            f"del acl {self.server.path} {next(iter(self.server.listed()))}",
            f"add acl {self.server.path} 198.51.100.9/24",
        )
        return not said.strip()
