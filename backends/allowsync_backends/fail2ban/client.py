"""Running fail2ban-client, which speaks to the server, and reads its configuration by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from allowsync.backend import BackendError
from allowsync.shell import Command, Completed, installed
from allowsync_backends import tools
from allowsync_backends.fail2ban import answers
from allowsync_backends.server.running import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from allowsync_backends.fail2ban.answers import Configured
    from allowsync_backends.server.running import Container

T = TypeVar("T")

PROGRAM: Final = "fail2ban-client"
TIMEOUT: Final = 60.0  # seconds; the client itself waits for a server for ever
MISSING: Final = "fail2ban-client cannot be used; install the package fail2ban"


def usable() -> str:
    """Why Fail2ban cannot be used here, or an empty string. In a container it may be all the same.

    Nothing is known of containers here, so only a machine without either is ruled out.
    """
    return "" if any(map(installed, (PROGRAM, "docker", "podman"))) else MISSING


@dataclass(frozen=True, slots=True)
class Client:
    """The client of one Fail2ban.

    Attributes:
        config: The folder of its configuration.
        socket: Where the server listens.
        inside: The container both are in; None where they are right here.
    """

    config: Path
    socket: Path
    inside: Container | None = None

    def argv(self, *words: str) -> tuple[str, ...]:
        """The command that runs the client with some words."""
        own = (PROGRAM, "-c", str(self.config), "-s", str(self.socket), *words)
        if self.inside is None:
            return own
        return (self.inside.runtime.value, "exec", "-i", self.inside.name, *own)

    def ask(self, *words: str) -> Completed:
        """Ask something that changes nothing. It may fail; the caller sees its code.

        Raises:
            BackendError: It could not be run, or did not end.
        """
        missing = MISSING if self.inside is None else ""
        return tools.ask(Command(self.argv(*words), timeout=TIMEOUT), missing)

    def tell(self, commands: Sequence[str]) -> None:
        """Have the server do some things, one after the other; what came of them is not told.

        The client is started once for all of them, and reads them from its standard input.

        Raises:
            BackendError: It could not be started.
            OutcomeUnknown: Only some of it may have been done.
        """
        lines = "".join(f"{line}\n" for line in (*commands, "exit"))
        tools.change(Command(self.argv("-i"), lines, TIMEOUT), MISSING)

    def is_down(self) -> bool:
        """Whether no server runs: then the file is all there is to keep.

        Raises:
            BackendError: That could not be found out.
        """
        if self.inside is not None:
            return self.inside.state() is State.STOPPED
        import socket

        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(TIMEOUT)
            try:
                door.connect(str(self.socket))
            except (FileNotFoundError, ConnectionRefusedError):
                return True
            except OSError as error:
                raise BackendError(f"{self.socket} cannot be used: {error.strerror}") from error
        return False

    def configured(self) -> Configured:
        """What the configuration files say, as Fail2ban reads them. Asks no server.

        Raises:
            BackendError: It could not be found out.
        """
        done = self.ask("-d")
        if done.code != 0:
            raise BackendError(f"Fail2ban does not take its configuration: {complaint(done)}")
        return understood(answers.configured, done)


def understood(parse: Callable[[str], T], done: Completed) -> T:
    """What the client's answer says.

    Raises:
        BackendError: It is not what was asked for.
    """
    try:
        return parse(done.stdout)
    except answers.NotUnderstood as error:
        what = f"fail2ban-client answered something else than it was asked: {str(error)[:100]!r}"
        raise BackendError(what) from error


def complaint(failed: Completed) -> str:
    """What the client said last, in one line: that is what it failed for."""
    lines = [line.strip() for line in failed.stderr.splitlines() if line.strip()]
    said = lines[-1] if lines else f"exit code {failed.code}"
    return said.partition("ERROR")[2].strip()[:300] or said[:300]
