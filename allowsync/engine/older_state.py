"""What a state that does not know the last run can still tell of hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.networks import Coverage, around
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.config.settings import Config
    from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
    from allowsync.model.types import Network


def still_held(config: Config, known: Mapping[str, HostMemory]) -> Mapping[str, HostMemory]:
    """What it knows of hosts, without addresses that no target holds any more.

    They were left since, and may be another's by now. Where a target is empty or cannot be read,
    nothing tells what was left: all is believed.
    """
    held = _held(config)
    if held is None:
        return known

    def here(one: HeldAddress) -> bool:
        return held.covering(around(one.address, one.address.max_prefixlen)) is not None

    def without(track: RetentionState) -> RetentionState:
        if all(map(here, track.held)):
            return track
        return replace(track, held=tuple(filter(here, track.held)))

    return {
        label: replace(one, tracks={query: without(track) for query, track in one.tracks.items()})
        for label, one in known.items()
    }


def _held(config: Config) -> Coverage | None:
    """What all targets hold together; None where one is empty or cannot be read."""
    networks: set[Network] = set()
    for target in (one for allowlist in config.allowlists.values() for one in allowlist.targets):
        try:
            entries = target.driver().read().entries
        except BackendError:
            return None
        if not entries:
            return None
        networks.update(one.network for one in entries)
    return Coverage(networks)
