"""Needs of a list for HAProxy from its service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.value import replace
from allowsync_backends.common.server import service

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.backend.api import Needs
    from allowsync_backends.haproxy.options import HaproxyOptions

_DISREGARD: Final = "CAP_DAC_OVERRIDE"


def needs(options: HaproxyOptions) -> Needs:
    """Return the needs of a target: with a socket, HAProxy is sent no signal.

    Connecting to a socket takes write permission (unix(7)).
    """
    found = service.needs(options)
    if options.socket is None:
        return found
    capabilities = set(found.capabilities) - {"CAP_KILL"}
    if not _roots(options.socket):
        capabilities.add(_DISREGARD)
    return replace(found, capabilities=tuple(sorted(capabilities)))


def _roots(socket: Path) -> bool:
    try:
        return socket.stat().st_uid == 0
    except OSError:
        return True
