"""Caddy: a snippet that refuses all clients but friends, or its trusted proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.caddy.options import (
    CaddyDenyOptions,
    CaddyOptions,
    CaddyStyle,
    DeniedResponse,
    Matcher,
)

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "CaddyDenyOptions", "CaddyOptions", "CaddyStyle", "DeniedResponse", "Matcher"]


def _make(placement: Placement, options: CaddyOptions) -> Backend:
    from allowsync_backends.caddy.server import caddy
    from allowsync_backends.caddy.syntax import CaddySyntax, ProxiesSyntax
    from allowsync_backends.common.server.reader import ServerReader
    from allowsync_backends.file.backend import FileBackend
    from allowsync_backends.file.syntax import of_effect

    syntax = CaddySyntax(options.matcher, options.refusal, placement.effect)
    return FileBackend(
        placement.allowlist,
        options.path,
        ProxiesSyntax() if options.style is CaddyStyle.REALIP else of_effect(syntax, syntax.effect),
        options.mode,
        ServerReader(
            caddy(options, syntax, placement.allowlist),
            options.running,
            options.check,
            options.reload,
        ),
    )


def _needs(options: CaddyOptions) -> Needs:
    from allowsync_backends.common.server.service import needs

    return needs(options)


TYPE = BackendType(
    "caddy",
    "A snippet for sites of a Caddyfile, or its trusted proxies",
    CaddyOptions,
    _make,
    needs=_needs,
    api=API,
    denies=CaddyDenyOptions,
)
