"""Somebody between a client and the socket of a real HAProxy, doing to commands as they like."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    # Gets a command, and how to have it carried out; returns the answer.
    Meddling: TypeAlias = Callable[[str, Callable[[str], str]], str]

PROMPT: Final = b"\n> "


class MeddlerHangUp(Exception):
    """The client is hung up on, without an answer."""


class Meddler:
    """Listens at a socket and passes commands on, but for what it is told to do.

    Args:
        path: Where it listens.
        real: The socket of an HAProxy.
        meddle: Answers each command, or hangs up.
        greeting: What it answers to `prompt`.
    """

    def __init__(
        self,
        path: Path,
        real: Path,
        meddle: Meddling,
        greeting: bytes = PROMPT,
    ) -> None:
        self.commands: list[str] = []
        self._real = str(real)
        self._meddle = meddle
        self._greeting = greeting
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Meddler:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, suppress(OSError, MeddlerHangUp):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as real, client.makefile("rb") as lines:
            real.connect(self._real)
            real.sendall(b"prompt\n")
            _answer(real)
            for line in lines:
                if line == b"prompt\n":
                    client.sendall(self._greeting)
                    continue
                for command in line.decode().strip().split(";"):
                    self.commands.append(command)
                    said = self._meddle(command, lambda one: _carried_out(real, one))
                    client.sendall(said.encode() + PROMPT)


def _carried_out(real: socket.socket, command: str) -> str:
    real.sendall(command.encode() + b"\n")
    return _answer(real)


def _answer(real: socket.socket) -> str:
    said = b""
    while not said.endswith(PROMPT):
        part = real.recv(1 << 16)
        if not part:
            raise MeddlerHangUp
        said += part
    return said.decode().removesuffix(PROMPT.decode())
