"""Use of a state without the last run: its credible memory of hosts and targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.memory import Inherited
from allowsync.model.networks import Coverage, around
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.memory import HeldAddress, HostMemory, RetentionState, TargetMemory
    from allowsync.model.types import Entry, Network
    from allowsync.policy.clock import Now


def still_held(known: Mapping[str, HostMemory], held: Coverage) -> Mapping[str, HostMemory]:
    """The memory of hosts without addresses that no target holds any more.

    Their hosts have left them since, and others may have them by now. A question without any left
    has no known answer, as after a lost state.

    Args:
        known: The memory in the state.
        held: The networks in all targets.
    """

    def here(one: HeldAddress) -> bool:
        return held.covering(around(one.address, one.address.max_prefixlen)) is not None

    def without(track: RetentionState) -> RetentionState:
        if all(map(here, track.held)):
            return track
        left = tuple(filter(here, track.held))
        return replace(track, held=left, last_found=track.last_found if left else None)

    return {
        label: replace(one, tracks={query: without(track) for query, track in one.tracks.items()})
        for label, one in known.items()
    }


def still_claimed(known: TargetMemory, held: Coverage) -> TargetMemory:
    """The memory of a target, without networks that no target holds any more."""

    def here(entries: Iterable[Entry]) -> tuple[Entry, ...]:
        return tuple(one for one in entries if held.covering(one.network) is not None)

    apart = None if known.apart is None else here(known.apart)
    return replace(known, entries=here(known.entries), apart=apart)


def as_unknown(
    known: TargetMemory, trusted: Collection[str], now: Now, forgotten: datetime | None
) -> TargetMemory:
    """The memory of a target in which entries start a time of their own, as of unknown origin.

    Later runs may have known a host's address that was over in this state. A time that began after
    those goes on.

    Args:
        known: The memory in the state.
        trusted: The hosts whose entries do so as well.
        now: The instant of the run.
        forgotten: The latest instant of those runs, where it is known.
    """
    later = {
        one.network: one
        for one in known.inherited
        if forgotten is not None and one.since > forgotten
    }
    networks = [one.network for one in known.inherited]
    networks += [one.network for one in known.claimed if not set(one.hosts).isdisjoint(trusted)]
    anew = {one: Inherited(one, now.instant, runs=0) for one in networks}
    return replace(known, inherited=tuple((anew | later).values()))


def held_now(config: Config) -> Coverage | None:
    """The networks in all targets; None where one is empty or cannot be read.

    Nothing shows then which addresses were left: all memory in the state counts.
    """
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
