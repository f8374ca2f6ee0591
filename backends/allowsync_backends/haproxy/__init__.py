"""HAProxy: a file of patterns for an ACL, loaded by a running HAProxy without a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.haproxy.options import HaproxyOptions

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "HaproxyOptions"]


def _make(placement: Placement, options: HaproxyOptions) -> Backend:
    from allowsync_backends.file.syntax import TextSyntax, of_effect
    from allowsync_backends.haproxy.server import HaproxyReader, haproxy

    reader = HaproxyReader(
        haproxy(options, placement.effect), options.running, options.check, options.reload
    )
    name, path, mode = placement.allowlist, options.path, options.mode
    syntax = of_effect(TextSyntax(), placement.effect)
    if options.socket is None:
        from allowsync_backends.file.backend import FileBackend

        return FileBackend(name, path, syntax, mode, reader)
    from allowsync_backends.haproxy.runtime_backend import RuntimeBackend
    from allowsync_backends.haproxy.runtime_list import RuntimeList
    from allowsync_backends.haproxy.runtime_reader import RuntimeReader

    telling = RuntimeReader(reader, RuntimeList(options.socket, path, options.running))
    return RuntimeBackend(name, path, syntax, mode, telling, telling)


def _needs(options: HaproxyOptions) -> Needs:
    from allowsync_backends.haproxy.service import needs

    return needs(options)


TYPE = BackendType(
    "haproxy",
    "A list for HAProxy, loaded without a reload",
    HaproxyOptions,
    _make,
    needs=_needs,
    api=API,
    denies=HaproxyOptions,
)
