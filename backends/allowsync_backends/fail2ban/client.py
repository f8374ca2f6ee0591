"""Runs fail2ban-client, which speaks to the server, and reads its configuration by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from allowsync.backend.api import BackendError
from allowsync.model.value import Value
from allowsync.system.process import Command, Completed, installed
from allowsync_backends.common import command as tools
from allowsync_backends.common.server.supervisor import State
from allowsync_backends.fail2ban import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from allowsync_backends.common.server.supervisor import Container
    from allowsync_backends.fail2ban.answers import Configured

T = TypeVar("T")

PROGRAM: Final = "fail2ban-client"
PROMPT: Final = "fail2ban> "
TIMEOUT: Final = 60.0  # seconds; the client itself waits for a server for ever
MISSING: Final = (
    "fail2ban-client cannot be used; install the package fail2ban: apt install fail2ban "
    f"({tools.LOOKED_IN})"
)


def usable() -> str:
    """Return why Fail2ban cannot be used here, or an empty string. A container may hold one.

    No container is known here, so only a machine without any runtime is ruled out.
    """
    return "" if any(map(installed, (PROGRAM, "docker", "podman"))) else MISSING


class Fail2banClient(Value):
    """The client of one Fail2ban.

    Attributes:
        config: The folder of its configuration.
        socket: The server's socket.
        inside: The container of both; None where they run on this machine.
    """

    config: Path
    socket: Path
    inside: Container | None = None

    def argv(self, *words: str) -> tuple[str, ...]:
        """Return the command that runs the client with some words."""
        own = (PROGRAM, "-c", str(self.config), "-s", str(self.socket), *words)
        if self.inside is None:
            return own
        return (self.inside.runtime.value, "exec", "-i", self.inside.name, *own)

    def ask(self, *words: str) -> Completed:
        """Send a read-only command. It may fail; the caller sees its code.

        Raises:
            BackendError: It could not be run, or did not end.
        """
        return tools.ask(Command(self.argv(*words), timeout=TIMEOUT), self._missing)

    def converse(self, lines: Sequence[str]) -> tuple[str, ...] | None:
        """Send several commands to the server by one process, one after the other.

        Returns:
            The answer to each, as a client of its own would print it; None where they cannot be
            told apart.

        Raises:
            BackendError: It could not be started.
            OutcomeUnknown: Only some of it may have been done.
        """
        text = "".join(f"{line}\n" for line in (*lines, "exit"))
        done = tools.change(Command(self.argv("-i"), text, TIMEOUT), self._missing)
        _, *said = done.stdout.split(PROMPT)
        return tuple(said[:-1]) if len(said) == len(lines) + 1 else None

    @property
    def _missing(self) -> str:
        return MISSING if self.inside is None else ""

    def is_down(self) -> bool:
        """Whether no server runs: then the file is all there is to keep.

        Raises:
            BackendError: Its state is unknown.
        """
        if self.inside is not None:
            return self.inside.state() is State.STOPPED
        if _listens(self.socket):
            return False
        if self._at_its_own("ping").code == 0:
            what = f"Fail2ban does not listen at {self.socket}, but where its fail2ban.conf says"
            raise BackendError(what)
        return True

    def _at_its_own(self, *words: str) -> Completed:
        """Ask the server at the socket that its configuration names."""
        return tools.ask(Command((PROGRAM, "-c", str(self.config), *words), timeout=TIMEOUT))

    def configured(self) -> Configured:
        """Return the configuration files, as Fail2ban reads them. Asks no server.

        Raises:
            BackendError: They could not be read.
        """
        done = self.ask("-d")
        if done.code != 0:
            raise BackendError(f"Fail2ban does not take its configuration: {complaint(done)}")
        return understood(answers.configured, done.stdout)


def _listens(path: Path) -> bool:
    """Whether a server listens at a socket.

    Raises:
        BackendError: Its state is unknown.
    """
    import socket

    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(TIMEOUT)
        try:
            door.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as error:
            raise BackendError(f"{path} cannot be used: {error.strerror}") from error
    return True


def understood(parse: Callable[[str], T], text: str) -> T:
    """Parse an answer of the client.

    Raises:
        BackendError: It is no answer to the question.
    """
    try:
        return parse(text)
    except answers.NotUnderstood as error:
        what = f"fail2ban-client answered something else than it was asked: {str(error)[:100]!r}"
        raise BackendError(what) from error


def complaint(failed: Completed) -> str:
    """Return the client's first error, in one line.

    Its messages are preceded by a time, a name, a process and a level; only errors count.
    """
    lines = [line.strip() for line in failed.stderr.splitlines() if line.strip()]
    errors = (line.partition(" ERROR ")[2].strip() for line in lines)
    said = next(filter(None, errors), "") or next(iter(lines), f"exit code {failed.code}")
    return said[:300]
