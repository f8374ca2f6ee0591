"""A file of middlewares that Traefik's file provider watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.traefik.options import MiddlewareKind, TraefikOptions

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "MiddlewareKind", "TraefikOptions"]


def _make(placement: Placement, options: TraefikOptions) -> Backend:
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.traefik.reader import TraefikReader
    from allowsync_backends.traefik.syntax import TraefikSyntax

    syntax = TraefikSyntax.of(options, placement.allowlist)
    reader = TraefikReader(options, syntax)
    return FileBackend(placement.allowlist, options.path, syntax, options.mode, reader)


def _needs(options: TraefikOptions) -> Needs:
    from dataclasses import replace

    from allowsync_backends.file.service import needs

    found = needs(options.path, options.check, options.reload)
    if options.pid_file is not None:
        # A service sees no processes of other users, unless it may trace them (ProtectProc=).
        return replace(found, capabilities=(*found.capabilities, "CAP_SYS_PTRACE"))
    # `systemctl` and `docker` are asked through sockets whether Traefik runs.
    return replace(found, commands=found.commands or options.known_running is not None)


TYPE = BackendType(
    "traefik", "A file of middlewares for Traefik", TraefikOptions, _make, needs=_needs, api=API
)
