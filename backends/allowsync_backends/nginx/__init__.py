"""nginx: a file of `allow` lines or a `geo` block for friends, or of its trusted proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.nginx.options import NginxDenyOptions, NginxOptions, Style

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement
    from allowsync_backends.file.syntax import Syntax

__all__ = ["TYPE", "NginxDenyOptions", "NginxOptions", "Style"]


def _make(placement: Placement, options: NginxOptions) -> Backend:
    from allowsync_backends.common.server.reader import ServerReader
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.syntax import of_effect
    from allowsync_backends.nginx.server import nginx
    from allowsync_backends.nginx.syntax import AllowSyntax, GeoSyntax, RealIpSyntax

    variable = options.variable or f"allowsync_{placement.allowlist}"
    syntax: Syntax
    match options.style:
        case Style.ALLOW:
            syntax = AllowSyntax()
        case Style.REALIP:
            syntax = RealIpSyntax()
        case Style.GEO:
            syntax = GeoSyntax(variable, options.source or "")
    return FileBackend(
        placement.allowlist,
        options.path,
        of_effect(syntax, placement.effect),
        options.mode,
        ServerReader(
            nginx(options, variable, placement.effect),
            options.running,
            options.check,
            options.reload,
        ),
    )


def _needs(options: NginxOptions) -> Needs:
    from allowsync_backends.common.server.service import needs

    return needs(options)


TYPE = BackendType(
    "nginx",
    "A file of `allow` lines, a `geo` block or trusted proxies for nginx",
    NginxOptions,
    _make,
    needs=_needs,
    api=API,
    denies=NginxDenyOptions,
)
