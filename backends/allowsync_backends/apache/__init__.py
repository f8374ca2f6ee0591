"""Apache: a file of `Require ip` lines, included where only friends may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend import BackendType
from allowsync_backends.apache.options import ApacheOptions

if TYPE_CHECKING:
    from allowsync.backend import Backend, Needs, Placement

__all__ = ["TYPE", "ApacheOptions"]


def _make(placement: Placement, options: ApacheOptions) -> Backend:
    from allowsync_backends.apache.server import apache
    from allowsync_backends.apache.syntax import ApacheSyntax
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.server.reader import ServerReader

    return FileBackend(
        placement.allowlist,
        options.path,
        ApacheSyntax(),
        options.mode,
        ServerReader(apache(options), options.running, options.check, options.reload),
    )


def _needs(options: ApacheOptions) -> Needs:
    from allowsync_backends.server.service import needs

    return needs(options)


TYPE = BackendType(
    "apache", "A file of `Require ip` for Apache's httpd", ApacheOptions, _make, needs=_needs
)
