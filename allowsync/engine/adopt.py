"""Adoption of entries that were added by hand exactly as allowsync would have added them.

The wanted entries are those remembered from the last run; no DNS query is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.engine.access_orders import ordered
from allowsync.engine.published import known_lists, recalled
from allowsync.model.clock import Pulse
from allowsync.model.types import Entry
from allowsync.model.value import Value
from allowsync.plan.claims import union
from allowsync.policy.clock import at_rest
from allowsync.policy.decision import recall
from allowsync.policy.inheritance import inherit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.backend.driver import Driver
    from allowsync.config.settings import Config, Target
    from allowsync.model.types import Network
    from allowsync.state import Store


class Adoptable(Value):
    """Wanted entries that were added to a target by hand.

    Attributes:
        target: The target's full name.
        entries: The entries to adopt, or adopted.
        reason: The reason why that failed; empty when it succeeded.
        backend: The backend that adopts them; None where there is nothing to do.
    """

    target: str
    entries: tuple[Entry, ...] = ()
    reason: str = ""
    backend: Driver | None = None


def adoptable(
    config: Config, store: Store, now: datetime, only: tuple[str, ...]
) -> list[Adoptable]:
    """Look at the targets of some allowlists, or of all when none is named. Changes nothing.

    Raises:
        StateError: The state cannot be read.
    """
    config = ordered(config, store, Pulse(now)).config
    known = recalled(config, store, known_lists(config, now)).config.hosts
    still = at_rest(store.chronology(), now)
    memory = inherit(known.values(), store.hosts(), still)
    found = []
    for allowlist in config.allowlists.values():
        if only and allowlist.name not in only:
            continue
        hosts = (known[name] for name in allowlist.hosts)
        wanted = union([recall(one, memory[one.name], still) for one in hosts])
        found += [_look(target, wanted) for target in allowlist.targets]
    return found


def _look(target: Target, wanted: Mapping[Network, tuple[str, ...]]) -> Adoptable:
    try:
        backend = target.driver()
        if not backend.adopts:
            return Adoptable(target.name)
        entries = backend.adoptable(Entry(one, hosts) for one, hosts in wanted.items())
    except BackendError as error:
        return Adoptable(target.name, reason=str(error))
    return Adoptable(target.name, entries, "", backend if entries else None)


def adopt(found: Iterable[Adoptable]) -> list[Adoptable]:
    """Adopt all adoptable entries. One target that fails stops no other."""
    return [_adopt(one) for one in found]


def _adopt(one: Adoptable) -> Adoptable:
    if one.backend is None:
        return one
    try:
        one.backend.adopt(one.entries)
    except BackendError as error:
        return Adoptable(one.target, one.entries, str(error))
    return one
