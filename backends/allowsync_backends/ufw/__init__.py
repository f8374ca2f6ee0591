"""UFW: one `ufw allow` rule for each network and port, written many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType, Needs
from allowsync.model.target import Guard
from allowsync_backends.common.ports import ranges
from allowsync_backends.ufw.options import UfwOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allowsync.backend.api import Marked
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Finding, Place, Placement

__all__ = ["TYPE", "UfwOptions"]


def _make(placement: Placement, options: UfwOptions) -> Backend:
    from allowsync_backends.ufw.backend import UfwBackend

    return UfwBackend(placement.allowlist, options, placement.installation)


def _usable() -> str:
    from allowsync_backends.ufw.tool import usable

    return usable()


def _marked(known: Collection[Place]) -> Sequence[Marked]:
    from allowsync_backends.ufw.marks import marked

    return tuple(marked(known))


def _needs(_: UfwOptions) -> Needs:
    from allowsync_backends.ufw.service import needs

    return needs()


def _at_boot(configured: Collection[Place]) -> Sequence[Finding]:
    from allowsync_backends.ufw.saved import at_boot

    return tuple(at_boot(configured))


def _guards(options: UfwOptions) -> Guard:
    return Guard(ranges(options.ports), forwarded=options.route, adds_up=True)


TYPE = BackendType(
    "ufw",
    "Rules of UFW, one for each network and port, marked by their comment",
    UfwOptions,
    _make,
    _usable,
    _needs,
    api=API,
    marked=_marked,
    guards=_guards,
    at_boot=_at_boot,
)
