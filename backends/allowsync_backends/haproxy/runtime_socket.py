"""A conversation with HAProxy at its stats socket.

All of it is with one process: after a reload the socket belongs to another one, without the
versions prepared in the first.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync_backends.haproxy.runtime_api import PROMPT, answers

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE: Final = 5.0  # seconds for its greeting
TIMEOUT: Final = 30.0  # seconds for all of a conversation
LARGEST: Final = 64 << 20  # bytes of one answer

_INTERACTIVE: Final = b"prompt\n"
_GREETING: Final = b"\n" + PROMPT
_MASTERS: Final = b"master> "


class SocketClosed(BackendError):
    """Nothing listens at the socket."""


class RuntimeSocket:
    """Commands and answers, one after the other.

    Args:
        path: The socket.

    Raises:
        SocketClosed: Nothing listens there.
        BackendError: It cannot be connected to, or its listener is no HAProxy.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._deadline = time.monotonic() + TIMEOUT
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._connect()
            self._greet()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the conversation. Commands sent before continue."""
        self._connection.close()

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._connection.fileno() < 0

    def ask(self, *commands: str) -> list[str]:
        """Return the answers to commands that fit into one line; empty ones for no output.

        Raises:
            BackendError: An answer is missing. The commands may have been carried out.
        """
        self._send(";".join(commands).encode() + b"\n")
        said = bytearray()
        while True:
            said += self._received(self._deadline)
            if len(said) > LARGEST:
                raise self._no_haproxy()
            if said.endswith(PROMPT):
                found = answers(bytes(said), len(commands))
                if found is not None:
                    return found

    def _connect(self) -> None:
        self._connection.settimeout(PATIENCE)
        try:
            self._connection.connect(os.fspath(self._path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise SocketClosed(f"{self._path}: {error.strerror}") from error
        except OSError as error:
            why = error.strerror or "too many are connected already"
            raise BackendError(f"{self._path} cannot be connected to: {why}") from error

    def _greet(self) -> None:
        """Switch to interactive mode.

        Raises:
            BackendError: The listener does not answer as HAProxy does.
        """
        self._send(_INTERACTIVE)
        soon = time.monotonic() + PATIENCE
        said = b""
        while said != _GREETING:
            said += self._received(soon)
            if said.startswith(_MASTERS):
                raise BackendError(
                    f"{self._path} is the socket of HAProxy's master process; "
                    "what is needed is a 'stats socket' of the configuration"
                )
            if not (_GREETING.startswith(said) or _MASTERS.startswith(said)):
                raise self._no_haproxy()

    def _send(self, data: bytes) -> None:
        try:
            self._connection.settimeout(self._left(self._deadline))
            self._connection.sendall(data)
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error

    def _received(self, deadline: float) -> bytes:
        try:
            self._connection.settimeout(self._left(deadline))
            data = self._connection.recv(1 << 16)
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error
        if not data:
            raise self._broken("it was closed")
        return data

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _too_late(self) -> BackendError:
        return BackendError(f"haproxy did not answer in time at {self._path}")

    def _broken(self, why: str) -> BackendError:
        return BackendError(f"the conversation with haproxy at {self._path} broke off: {why}")

    def _no_haproxy(self) -> BackendError:
        return BackendError(f"what answers at {self._path} does not talk like haproxy")
