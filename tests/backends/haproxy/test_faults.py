"""What goes wrong around HAProxy, whether it is reloaded or told at its socket."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.file.syntax import TextSyntax, header

from allowsync.backend.api import OutcomeUnknown
from allowsync.model.target import Severity
from tests.support import faults
from tests.support.faults import LAN, put
from tests.support.haproxy import PORT, PROGRAM, Haproxy
from tests.support.internet import FRIEND, STRANGER
from tests.support.requests import OK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from allowsync.model.types import Network
    from tests.support.netns import Namespace
    from tests.support.servers import Served

pytestmark = [pytest.mark.root]

FORBIDDEN = 403


class Mistaken(TextSyntax):
    """Writes what HAProxy does not take."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        return f"# {header(allowlist)}\n{'-'.join(map(str, networks))}-\n"


class TestReloaded(faults.Faults):
    PORT = PORT
    REFUSED = FORBIDDEN
    MISTAKEN = Mistaken()
    OBJECTION = r"haproxy failed with exit code 1 \(\[ALERT\] .* parsing \[/.*haproxy\.cfg:12\]"
    SPOILT = "NoSuchDirective\n"
    server: Haproxy

    def make(self, inside: Namespace, folder: Path) -> Served:
        server = Haproxy(inside, folder, told=False)
        server.write()
        return server

    def without(self) -> None:
        self.server.rule = "http-request deny"
        self.server.write()

    def test_one_without_a_master_is_not_sent_a_signal_that_would_end_it(self) -> None:
        self.server.stop()
        self.server.master = False
        self.server.start()
        error = self.fails(FRIEND, LAN)
        assert "haproxy has no master process (option -W), so it cannot be reloaded" in str(error)
        # The process goes by the old file, but a reload could not tell that.
        assert isinstance(error, OutcomeUnknown)
        assert (self.server.runs, self.asked(FRIEND), self.asked(STRANGER)) == (True, OK, FORBIDDEN)


class TestTold(TestReloaded):
    """The same where it is told at its socket."""

    def make(self, inside: Namespace, folder: Path) -> Served:
        server = Haproxy(inside, folder)
        server.write()
        return server

    def test_a_file_it_does_not_take_is_rolled_back_before_it_is_told(self) -> None:
        """Its configuration is checked where somebody wants that."""
        check = (PROGRAM, "-c", "-f", str(self.server.config))
        mark = self.server.mark()
        backend = replace(self.server.backend(check=check), syntax=self.MISTAKEN)
        error = self.fails(LAN, backend=backend)
        assert re.search(self.OBJECTION, str(error))
        assert str(error).endswith("; the old file is back in force")
        assert not isinstance(error, OutcomeUnknown)
        assert self.server.listed() == {f"{FRIEND}/32"}
        assert [one for one in self.server.mark() if "0x" in one] == [
            one for one in mark if "0x" in one
        ]
        self.is_well()

    def test_a_mistake_in_another_file_is_named_and_nothing_is_changed(self) -> None:
        """No half-done work of somebody's is in the way: nothing is read but the list."""
        self.server.config.write_text(self.server.config.read_text() + self.SPOILT)
        put(self.server, FRIEND, LAN)
        assert self.server.listed() == {f"{FRIEND}/32", LAN}
        (found,) = self.server.inside.run(self.server.backend().check)
        assert (found.severity, "does not take its configuration" in found.what) == (
            Severity.ERROR,
            True,
        )

    def test_a_file_changed_by_hand_is_put_right(self) -> None:
        path = self.server.path
        text = path.read_text()
        path.write_text(text.replace(FRIEND, "198.51.100.1") + "# by hand\n")
        current = self.server.backend().read()
        assert {str(entry.network) for entry in current.entries} == {
            f"{FRIEND}/32",
            "198.51.100.1/32",
        }
        assert current.flaws == (
            f"{path} was edited",
            "the running haproxy does not know 1 entry of its file",
            "the running haproxy knows 1 entry more than its file",
        )
        put(self.server, FRIEND)
        assert path.read_text() == text
        self.is_well()

    def test_one_without_a_master_is_not_sent_a_signal_that_would_end_it(self) -> None:
        """At its socket there is no need for one."""
        self.server.stop()
        self.server.master = False
        self.server.start()
        put(self.server, FRIEND, LAN)
        assert self.server.listed() == {f"{FRIEND}/32", LAN}
        self.is_well()
