"""Apache: a file of `Require ip` lines for friends, or of its trusted proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync.model.target import Effect
from allowsync_backends.apache.options import ApacheDenyOptions, ApacheOptions, ApacheStyle

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement
    from allowsync_backends.file.syntax import Syntax

__all__ = ["TYPE", "ApacheDenyOptions", "ApacheOptions", "ApacheStyle"]


def _make(placement: Placement, options: ApacheOptions) -> Backend:
    from allowsync_backends.apache.server import apache
    from allowsync_backends.apache.syntax import ApacheSyntax, RemoteIpSyntax, RequireNoneSyntax
    from allowsync_backends.common.server.reader import ServerReader
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.syntax import DenySyntax

    syntax: Syntax
    if placement.effect is Effect.DENY:
        syntax = DenySyntax(RequireNoneSyntax())
    else:
        syntax = RemoteIpSyntax() if options.style is ApacheStyle.REALIP else ApacheSyntax()
    return FileBackend(
        placement.allowlist,
        options.path,
        syntax,
        options.mode,
        ServerReader(
            apache(options, placement.effect), options.running, options.check, options.reload
        ),
    )


def _needs(options: ApacheOptions) -> Needs:
    from allowsync_backends.common.server.service import needs

    return needs(options)


TYPE = BackendType(
    "apache",
    "A file of `Require ip` or trusted proxies for Apache's httpd",
    ApacheOptions,
    _make,
    needs=_needs,
    api=API,
    denies=ApacheDenyOptions,
)
