"""Apache: a file of `Require ip` lines, included where only friends may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.apache.options import ApacheOptions

if TYPE_CHECKING:
    from allowsync.backend.api import Backend, Needs
    from allowsync.model.target import Placement

__all__ = ["TYPE", "ApacheOptions"]


def _make(placement: Placement, options: ApacheOptions) -> Backend:
    from allowsync_backends.apache.server import apache
    from allowsync_backends.apache.syntax import ApacheSyntax
    from allowsync_backends.common.server.reader import ServerReader
    from allowsync_backends.file.backend import FileBackend

    return FileBackend(
        placement.allowlist,
        options.path,
        ApacheSyntax(),
        options.mode,
        ServerReader(apache(options), options.running, options.check, options.reload),
    )


def _needs(options: ApacheOptions) -> Needs:
    from allowsync_backends.common.server.service import needs

    return needs(options)


TYPE = BackendType(
    "apache",
    "A file of `Require ip` for Apache's httpd",
    ApacheOptions,
    _make,
    needs=_needs,
    api=API,
)
