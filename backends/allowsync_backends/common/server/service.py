"""Needs of a server's file from the service that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.value import replace
from allowsync_backends.file import service

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync_backends.common.server.options import ServerOptions


def needs(options: ServerOptions) -> Needs:
    """Return the needs of a target that keeps a server's file, and reloads that server.

    A service sees no processes but its own users' (`ProtectProc=`, systemd.exec(5)), unless it may
    trace others; and signalling a process of another user takes CAP_KILL. Those of a unit are
    listed in its control group, and systemd reloads them.
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
