"""Options of a list that HAProxy looks into."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync_backends.common.server.options import ServerOptions
from allowsync_backends.file.options import refuse_relative

if TYPE_CHECKING:
    from allowsync_backends.common.server.supervisor import Supervisor

# The limit of a Unix socket's address, less its final zero (unix(7)).
_LONGEST: Final = 107


class HaproxyOptions(ServerOptions, kw_only=True):
    """A file of patterns for an ACL, and the socket of the running HAProxy."""

    UNIT: ClassVar[str] = "haproxy.service"
    NAMES: ClassVar[tuple[str, ...]] = ("haproxy",)

    socket: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a socket"),
        help="The `stats socket` of HAProxy, of level admin. With it, a running HAProxy loads a "
        "new list without a reload, and changes by others there are detected. Without it, "
        "HAProxy is reloaded.",
        default=None,
    )
    program: str = option(
        lambda: kinds.Text("a program"),
        help="HAProxy's program, which checks its configuration.",
        default="haproxy",
    )
    config: tuple[Path, ...] = option(
        lambda: kinds.OneOrMany(kinds.AbsolutePath("the path of a file or folder")),
        help="HAProxy's configuration, as passed with `-f`.",
        default=(Path("/etc/haproxy/haproxy.cfg"),),
    )

    def __post_init__(self) -> None:
        # Without arguments, super() does not work in a class with slots.
        ServerOptions.__post_init__(self)
        refuse_relative(program=(self.program,))
        if self.socket is None:
            return
        if self.reload:
            raise ValueError("takes either socket or reload: by its socket, it is not reloaded")
        if len(os.fsencode(self.socket)) > _LONGEST:
            raise ValueError(f"socket may have at most {_LONGEST} bytes, got {self.socket}")

    @property
    def running(self) -> Supervisor:
        """The way it runs."""
        if self.pid_file is None:
            return super().running
        from allowsync_backends.haproxy.process import MasterProcess

        return MasterProcess(self.pid_file, self.NAMES)

    @property
    def command(self) -> tuple[str, ...]:
        """The program, with the configuration it is to read."""
        return (self.program, *(word for one in self.config for word in ("-f", str(one))))
