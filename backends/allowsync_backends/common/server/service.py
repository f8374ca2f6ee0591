"""What a server's file needs of the service it is written by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import replace
from allowsync_backends.file import service

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync_backends.common.server.options import ServerOptions


def needs(options: ServerOptions) -> Needs:
    """What a target needs that keeps a server's file, and tells that server.

    A service sees no processes but its own users' (`ProtectProc=`, systemd.exec(5)), unless it may
    trace others; and only who may kill a process of another user may tell it by a signal. Those of
    a unit are listed in its control group, and systemd tells them.
    """
    found = replace(service.needs(options.path), commands=True)
    if options.reload:
        return found
    more: tuple[str, ...] = ()
    if options.pid_file is not None:
        more = ("CAP_KILL", "CAP_SYS_PTRACE")
    elif options.container is not None:
        more = ("CAP_SYS_PTRACE",)
    return replace(found, capabilities=(*found.capabilities, *more))
