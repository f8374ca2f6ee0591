"""Targets that share a rule with another target, which a run without them removes.

Where several allowlists allow one network at one port of UFW, a single rule stands for all of them,
with the mark of the first. A run over everything lets the others restore it; a run over some
targets only, or a `clear`, has to be followed by one over those others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.options import Request
from allowsync.engine.run import run
from allowsync.model.networks import Coverage
from allowsync.model.outcome import ExitCode, Notice
from allowsync.state import StateError, Store
from allowsync.system.clock import pulse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from allowsync.config.settings import Config, Target
    from allowsync.dns.interface import Resolve
    from allowsync.model.types import Network

    # By target, the networks removed from it.
    Gone = Mapping[str, Collection[Network]]


def put_back(config: Config, gone: Gone, resolve: Resolve) -> Iterator[Notice]:
    """Restore the removed networks at other targets that lost them. Sends no DNS query.

    Yields:
        A notice for each of those targets: what was restored, or the failure.
    """
    if not any(gone.values()):
        return
    try:
        with Store.reading(config.state) as store:
            relying = tuple(_relying(config, store, gone))
    except StateError:
        return  # the removing command has reported it
    if not relying:
        return
    report = run(config, Request(relying, offline=True), resolve, pulse())
    for one in report.targets:
        if one.said:
            yield Notice(one.target, one.said, ExitCode.FAILED)
        elif one.plan is not None and one.plan.add:
            back = ", ".join(str(entry.network) for entry in one.plan.add)
            yield Notice(one.target, f"restored {back}: a rule shared with it was removed")


def _relying(config: Config, store: Store, gone: Gone) -> Iterator[str]:
    """The targets that held the same networks, as far as remembered, and do not any more."""
    kinds = {one.name: one.backend.name for one in config.targets}
    taken: dict[str, set[Network]] = {}
    for name, networks in gone.items():
        taken.setdefault(kinds.get(name, name.partition("/")[2]), set()).update(networks)
    for target in config.targets:
        networks = taken.get(target.backend.name, set())
        known = store.target(target.name) if target.name not in gone and networks else None
        claimed = () if known is None else [one.network for one in known.claimed]
        if _lost(target, networks.intersection(claimed)):
            yield target.name


def _lost(target: Target, networks: Collection[Network]) -> bool:
    """Whether a target holds some networks no more; possibly, where it cannot be read."""
    try:
        held = Coverage(one.network for one in target.driver().read().entries) if networks else None
    except BackendError:
        return True
    return held is not None and any(held.covering(one) is None for one in networks)
