"""ipset and iptables: a gate of our own before all other rules, or sets for your own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType, Needs
from allowsync.model.target import Guard
from allowsync_backends.common.ports import ranges
from allowsync_backends.ipset.options import IpsetDenyOptions, IpsetOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allowsync.backend.api import Marked
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Finding, Place, Placement

__all__ = ["TYPE", "IpsetDenyOptions", "IpsetOptions"]


def _make(placement: Placement, options: IpsetOptions | IpsetDenyOptions) -> Backend:
    if isinstance(options, IpsetDenyOptions):
        sets_only, end_streams = options.sets_only, False
    else:
        sets_only, end_streams = not options.ports, options.end_streams
    if sets_only:
        from allowsync_backends.ipset.sets_backend import IpsetSetsBackend

        effect = placement.effect
        return IpsetSetsBackend(placement.allowlist, end_streams, options.iptables, effect)
    from allowsync_backends.ipset.gate_backend import IpsetGateBackend
    from allowsync_backends.ipset.rules import IpsetGate

    gate = IpsetGate(
        placement.allowlist,
        options.ports,
        options.open_interfaces,
        placement.installation,
        placement.effect,
    )
    return IpsetGateBackend(gate, options.iptables)


def _usable() -> str:
    from allowsync_backends.ipset.tool import usable

    return usable()


def _marked(known: Collection[Place]) -> Sequence[Marked]:
    from allowsync_backends.ipset.marks import marked

    return marked(known)


def _needs(options: IpsetOptions | IpsetDenyOptions) -> Needs:
    from allowsync_backends.ipset.service import needs

    return needs(options)


def _at_boot(configured: Collection[Place]) -> Sequence[Finding]:
    from allowsync_backends.ipset.saved import at_boot

    return tuple(at_boot(configured))


def _guards(options: IpsetOptions | IpsetDenyOptions) -> Guard | None:
    return Guard(ranges(options.ports), options.open_interfaces) if options.ports else None


TYPE = BackendType(
    "ipset",
    "A gate in front of chosen ports by iptables, or sets for your own iptables rules",
    IpsetOptions,
    _make,
    _usable,
    _needs,
    api=API,
    marked=_marked,
    guards=_guards,
    at_boot=_at_boot,
    denies=IpsetDenyOptions,
)
