"""Fail2ban: jails that ban no friend, and release friends they have banned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType
from allowsync_backends.fail2ban.options import Fail2banOptions

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "Fail2banOptions"]


def _make(placement: Placement, options: Fail2banOptions) -> Backend:
    from allowsync_backends.fail2ban.backend import Fail2banBackend

    return Fail2banBackend(placement.allowlist, options)


def _usable() -> str:
    from allowsync_backends.fail2ban.client import usable

    return usable()


def _needs(options: Fail2banOptions) -> Needs:
    from allowsync_backends.fail2ban.service import needs

    return needs(options)


TYPE = BackendType(
    "fail2ban",
    "Jails of Fail2ban that ban no host",
    Fail2banOptions,
    _make,
    _usable,
    _needs,
    api=API,
)
"""The backend of Fail2ban."""
