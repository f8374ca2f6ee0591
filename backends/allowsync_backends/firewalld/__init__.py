"""firewalld: sets of its own kind, with rules that open ports to them, or for your own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType, Needs
from allowsync.model.target import Guard
from allowsync_backends.common.ports import ranges
from allowsync_backends.firewalld.options import FirewalldOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allowsync.backend.api import Marked
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Place, Placement

__all__ = ["TYPE", "FirewalldOptions"]


def _make(placement: Placement, options: FirewalldOptions) -> Backend:
    from allowsync_backends.firewalld.backend import FirewalldBackend

    return FirewalldBackend(placement.allowlist, options, placement.installation)


def _usable() -> str:
    from allowsync_backends.common.firewalld_bus import usable

    return usable()


def _marked(known: Collection[Place]) -> Sequence[Marked]:
    from allowsync_backends.firewalld.marks import marked

    return tuple(marked(known))


def _needs(_: FirewalldOptions) -> Needs:
    """Root, firewalld's only client, and the socket of D-Bus. Its files survive a boot."""
    return Needs(commands=True, after=("firewalld.service",), lasting=True)


def _guards(options: FirewalldOptions) -> Guard | None:
    return Guard(ranges(options.ports), adds_up=True) if options.ports else None


TYPE = BackendType(
    "firewalld",
    "Two sets of firewalld, and rules of a zone that open ports to them",
    FirewalldOptions,
    _make,
    _usable,
    _needs,
    api=API,
    marked=_marked,
    guards=_guards,
)
