"""Known proxies, LAN networks or the remote-address filter of a Jellyfin server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType, Needs
from allowsync_backends.jellyfin.options import JellyfinOptions, JellyfinSetting

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "JellyfinOptions", "JellyfinSetting"]


def _make(placement: Placement, options: JellyfinOptions) -> Backend:
    from allowsync_backends.jellyfin.backend import JellyfinBackend

    return JellyfinBackend(placement.allowlist, options)


def _needs(options: JellyfinOptions) -> Needs:
    read = () if options.ca_file is None else (str(options.ca_file),)
    return Needs(any_user=True, reads=read, lasting=True, online=True)


TYPE = BackendType(
    "jellyfin",
    "Known proxies, LAN networks or the remote-address filter of a Jellyfin server",
    JellyfinOptions,
    _make,
    needs=_needs,
    api=API,
)
