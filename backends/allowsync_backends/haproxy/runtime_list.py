"""The list in a running HAProxy: read, and replaced."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.value import Value
from allowsync_backends.common.server.supervisor import State
from allowsync_backends.haproxy import runtime_api
from allowsync_backends.haproxy.replacement import InOneStep, OneByOne
from allowsync_backends.haproxy.runtime_socket import RuntimeSocket, SocketClosed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from allowsync.model.types import Network
    from allowsync_backends.common.server.supervisor import Supervisor
    from allowsync_backends.haproxy.replacement import Replacement
    from allowsync_backends.haproxy.runtime_api import Acl, Patterns


class Without(Enum):
    """The reason why there is no list in force."""

    STOPPED = "haproxy does not run"  # it reads the file when it starts
    UNUSED = "haproxy has loaded no ACL from the file"


class RuntimeList(Value):
    """The list that a running HAProxy has loaded from a file.

    Attributes:
        socket: The stats socket.
        path: The file.
        running: The supervisor that finds out whether HAProxy is stopped.
    """

    socket: Path
    path: Path
    running: Supervisor

    def look(self) -> Patterns | Without:
        """Return the list in force.

        Raises:
            BackendError: It could not be read.
        """
        talk = self._open()
        if isinstance(talk, Without):
            return talk
        try:
            acl = self._acl(talk)
            if acl is None:
                return Without.UNUSED
            return runtime_api.patterns(*talk.ask(f"show acl {acl}"))
        finally:
            talk.close()

    def prepare(self, networks: Sequence[Network]) -> Replacement | Without:
        """Prepare another list to be put in force. The caller closes it.

        Raises:
            BackendError: It could not be prepared. The list in force is unchanged.
        """
        talk = self._open()
        if isinstance(talk, Without):
            return talk
        try:
            acl = self._acl(talk)
            if acl is not None:
                kind = InOneStep if acl.versioned else OneByOne
                return kind(talk, acl, networks)
        except BaseException:
            talk.close()
            raise
        talk.close()
        return Without.UNUSED

    def replace(self, networks: Sequence[Network]) -> None:
        """Put another list in force, where there is one at all.

        Raises:
            BackendError: It may or may not be in force.
        """
        replacement = self.prepare(networks)
        if isinstance(replacement, Without):
            return
        try:
            replacement.commit()
        finally:
            replacement.close()

    def _open(self) -> RuntimeSocket | Without:
        try:
            return RuntimeSocket(self.socket)
        except SocketClosed as error:
            if self.running.state() is State.STOPPED:
                return Without.STOPPED
            raise BackendError(f"haproxy runs, but nothing listens at {error}") from error

    def _acl(self, talk: RuntimeSocket) -> Acl | None:
        about, lists = talk.ask(runtime_api.WHO, runtime_api.LISTS)
        number = runtime_api.processes(about)
        if number > 1:
            # Each has a list of its own, and a socket reaches one of them (`nbproc`, before 2.5).
            raise BackendError(
                f"haproxy runs as {number} processes with a list each, and {self.socket} is the "
                "socket of one of them; take nbproc away, or do without socket"
            )
        return runtime_api.acl_of(str(self.path), lists)
