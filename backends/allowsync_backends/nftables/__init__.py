"""nftables: a gate of our own before all other rules, or sets of the user's own ruleset."""

from __future__ import annotations

from allowsync.backend.api import API, BackendType, Needs
from allowsync.model.target import Guard
from allowsync.typed import TYPE_CHECKING
from allowsync_backends.common.ports import ranges
from allowsync_backends.nftables.options import NftablesDenyOptions, NftablesOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allowsync.backend.api import Marked
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Finding, Place, Placement

__all__ = ["TYPE", "NftablesDenyOptions", "NftablesOptions"]


def _make(placement: Placement, options: NftablesOptions) -> Backend:
    if options.set is not None:
        from allowsync_backends.nftables.sets_backend import NftSetsBackend

        return NftSetsBackend(placement, options.set)
    from allowsync_backends.nftables.gate import NftGate
    from allowsync_backends.nftables.gate_backend import NftGateBackend

    gate = NftGate(
        placement.allowlist,
        options.ports,
        options.open_interfaces,
        placement.installation,
        placement.effect,
    )
    return NftGateBackend(gate)


def _usable() -> str:
    from allowsync_backends.nftables.tool import usable

    return usable()


def _marked(known: Collection[Place]) -> Sequence[Marked]:
    from allowsync_backends.nftables.gate_backend import marked

    return marked(known)


def _needs(_: NftablesOptions) -> Needs:
    return Needs(any_user=True)


def _at_boot(configured: Collection[Place]) -> Sequence[Finding]:
    from allowsync_backends.nftables.saved import at_boot

    return tuple(at_boot(configured))


def _guards(options: NftablesOptions) -> Guard | None:
    return Guard(ranges(options.ports), options.open_interfaces) if options.ports else None


TYPE = BackendType(
    "nftables",
    "A gate in front of chosen ports, or sets of your own nftables ruleset",
    NftablesOptions,
    _make,
    _usable,
    _needs,
    api=API,
    marked=_marked,
    guards=_guards,
    at_boot=_at_boot,
    denies=NftablesDenyOptions,
)
