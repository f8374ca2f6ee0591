"""Targets that share a rule with another target, which a run without them removes.

Where several allowlists allow one network at one port of UFW, a single rule stands for all of them,
with the mark of the first. A run over everything lets the others restore it; a run over some
targets only, or a `clear`, has to be followed by one over those others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.engine.options import Request
from allowsync.engine.run import run
from allowsync.model.outcome import ExitCode, Notice
from allowsync.state import StateError, Store
from allowsync.system.clock import pulse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from allowsync.config.settings import Config
    from allowsync.dns.interface import Resolve
    from allowsync.model.types import Network

    # By target, the networks removed from it.
    Gone = Mapping[str, Collection[Network]]


def put_back(config: Config, gone: Gone, resolve: Resolve) -> Iterator[Notice]:
    """Restore the removed networks at other targets of the same kind. Sends no DNS query.

    Yields:
        The notices of failures.
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


def _relying(config: Config, store: Store, gone: Gone) -> Iterator[str]:
    """The targets that should hold the same networks, as far as remembered."""
    kinds = {one.name: one.backend.name for one in config.targets}
    taken: dict[str, set[Network]] = {}
    for name, networks in gone.items():
        taken.setdefault(kinds.get(name, name.partition("/")[2]), set()).update(networks)
    for target in config.targets:
        networks = taken.get(target.backend.name, set())
        known = store.target(target.name) if target.name not in gone and networks else None
        if known is not None and any(one.network in networks for one in known.claimed):
            yield target.name
