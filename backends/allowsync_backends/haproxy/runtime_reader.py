"""A running HAProxy as the reader of the file: updated at its socket, and never reloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.types import by_network
from allowsync.model.value import Value
from allowsync_backends.file.syntax import TextSyntax
from allowsync_backends.haproxy.runtime_list import Without

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from allowsync.model.target import Finding, TrustedProxies
    from allowsync.model.types import Network
    from allowsync_backends.common.server.reader import ServerReader
    from allowsync_backends.haproxy.replacement import Replacement
    from allowsync_backends.haproxy.runtime_list import RuntimeList


class RuntimeReader(Value):
    """Keeps the list in force in sync with the file.

    HAProxy checks each entry by itself before any of them is in force, so its configuration is not
    checked, unless the user has a check: unfinished edits of it do not matter here.

    Attributes:
        reader: The server as it is reloaded without a socket.
        live: The list in force.
        prepared: The list prepared before the file was changed.
    """

    reader: ServerReader
    live: RuntimeList
    prepared: Replacement | Without = Without.STOPPED

    @property
    def is_told(self) -> bool:
        """Always true."""
        return True

    @property
    def is_startable(self) -> bool:
        """The same as without a socket."""
        return self.reader.is_startable

    @property
    def waits(self) -> bool:
        """As the reader without the runtime socket."""
        return self.reader.waits

    def objection_to(self, draft: str) -> str:
        """Return the error of a check of drafts, where the configuration has one."""
        return self.reader.objection_to(draft)

    def objection(self) -> str:
        """Return the error of the user's check; for a missing file, of HAProxy's own."""
        if self.reader.check or not self.live.path.exists():
            return self.reader.objection()
        return ""

    def take_notice(self) -> str:
        """Put the prepared list in force, or else the present content of the file.

        The latter, too, where the conversation broke off: it is the same list again. And where the
        old file was restored because of that, it is the old list.
        """
        try:
            if not isinstance(self.prepared, Without):
                self.prepared.commit()
                return ""
        except BackendError:
            pass
        try:
            self.live.replace(self._in_the_file())
        except BackendError as error:
            return str(error)
        return ""

    def _in_the_file(self) -> Sequence[Network]:
        """Return the networks HAProxy would read; none, where there is no file.

        Raises:
            BackendError: It cannot be read.
        """
        try:
            held = TextSyntax().parse(self.live.path.read_text())
        except FileNotFoundError:
            return ()
        except OSError as error:
            what = f"{self.live.path} cannot be read: {error.strerror}"
            raise BackendError(what) from error
        return () if held is None else sorted(held.networks, key=by_network)

    def findings(self, path: Path) -> Sequence[Finding]:
        """Return those of the server."""
        return self.reader.findings(path)

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:
        """Return those of the server."""
        return self.reader.trusted_proxies(path)
