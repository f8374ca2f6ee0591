"""Options of a file that a server reads, for any server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value
from allowsync_backends.common.server.supervisor import Container, Process, Runtime, Unit
from allowsync_backends.file.options import command, mode_kind, refuse_relative

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.common.server.supervisor import Supervisor

# Names that systemd accepts for a unit (systemd.unit(5)), and Docker for a container.
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@\\-]{1,255}")
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


class ServerOptions(Value, kw_only=True):
    """A file, the server that reads it, and how that server runs.

    Attributes of the class:
        UNIT: The default unit of the server.
        NAMES: The possible names of its main process.
    """

    UNIT: ClassVar[str]
    NAMES: ClassVar[tuple[str, ...]]

    path: Path = option(lambda: kinds.AbsolutePath("the path of a file"), help="The file to write.")
    mode: int = option(mode_kind, help="The file's permissions.", default=0o644)
    unit: str | None = option(
        lambda: kinds.Text("the name of a systemd unit"),
        help="The systemd unit of the server. Without `unit`, `pid_file` and `container`: the "
        "unit of its package.",
        default=None,
    )
    pid_file: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a pid file"),
        help="The pid file of a server without a systemd unit.",
        default=None,
    )
    container: str | None = option(
        lambda: kinds.Text("the name of a container"),
        help="The container of the server. The folder of `path`, not just the file, must be "
        "mounted there under the same path.",
        default=None,
    )
    runtime: Runtime = option(
        lambda: kinds.Choice(Runtime), help="The container runtime.", default=Runtime.DOCKER
    )
    check: tuple[str, ...] = option(
        command,
        help="A command that replaces the server's own check of its configuration. With "
        "`{path}` in it, it checks the new file before that replaces the old one; "
        "otherwise it runs after that, and the old file is restored if it fails.",
        default=(),
    )
    reload: tuple[str, ...] = option(
        command,
        help="A command that replaces the server's own reload. It must not return before the "
        "server uses the new file.",
        default=(),
    )

    def __post_init__(self) -> None:
        refuse_relative(check=self.check, reload=self.reload)
        ways = {"unit": self.unit, "pid_file": self.pid_file, "container": self.container}
        said = [key for key, value in ways.items() if value is not None]
        if len(said) > 1:
            raise ValueError(f"a server runs in one way, got {' and '.join(said)}")
        _named("unit", self.unit, _UNIT)
        _named("container", self.container, _CONTAINER)

    @property
    def names(self) -> tuple[str, ...]:
        """The possible names of its main process; a server with another program overrides it."""
        return self.NAMES

    @property
    def running(self) -> Supervisor:
        """The way the server runs."""
        if self.container is not None:
            return Container(self.container, self.runtime, self.path, self.NAMES)
        if self.pid_file is not None:
            return Process(self.pid_file, self.names)
        return Unit(self.unit or self.UNIT, self.NAMES)

    def places(self, allowlist: str) -> tuple[Place, ...]:  # noqa: ARG002 - a file is a file
        """Return the file as the place of the entries."""
        return (Place("file", (str(self.path),)),)


def _named(key: str, value: str | None, allowed: re.Pattern[str]) -> None:
    """Refuse a text that a program could read as an option, or as several words.

    Raises:
        ValueError: It is no name.
    """
    if value is not None and (not allowed.fullmatch(value) or value.startswith("-")):
        raise ValueError(f"{key} is no name of a {key}: {value!r}")
